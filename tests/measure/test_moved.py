"""The measures of one tensor against numbers by hand, which tensors have which, and how they are put together."""

from __future__ import annotations

import math

import pytest
import torch

from rlft.errors import UserError
from rlft.measure.moved import Looking, Moved, by_kind, kind, moved, together


def test_a_matrix_by_hand():
    """diag(4, 2) becomes diag(4, 3): one entry of four, a change of 1 for a norm of the root of 20."""
    old, new = torch.diag(torch.tensor([4.0, 2.0])), torch.diag(torch.tensor([4.0, 3.0]))
    found = moved("q", old, [new], Looking(rank=0.5, share=0.25))
    assert found.unchanged == 0.75 and found.entries == 4
    assert found.moved == pytest.approx(1 / 20**0.5) and found.drift == pytest.approx(1 / 20**0.5)
    # The first direction stays; what changed is neither the largest entry of rank 1 nor the first of the zeros.
    assert found.turned == pytest.approx(0, abs=1e-4) and found.principal == found.low == -0.25
    assert math.isnan(found.jaccard)


def test_the_first_directions_change_places():
    """diag(4, 2) becomes diag(4, 5): the first direction is another, at a right angle; the change is principal in W."""
    old, new = torch.diag(torch.tensor([4.0, 2.0])), torch.diag(torch.tensor([4.0, 5.0]))
    found = moved("q", old, [new], Looking(rank=0.5, share=0.5))
    assert found.turned == pytest.approx(90) and found.turning == pytest.approx(90)
    assert moved("q", old, [new], Looking(rank=1.0, share=0.5)).principal == 0.5  # of both entries, one and not a half


def test_two_runs():
    old = torch.ones(4)
    first, second = torch.tensor([2.0, 2, 1, 1]), torch.tensor([1.0, 3, 3, 3])
    found = moved("norm", old, [first, second])
    assert found.jaccard == pytest.approx(1 / 4) and found.chance == pytest.approx(0.5 * 0.75 / (1.25 - 0.375))
    assert found.unchanged == 0.5 and math.isnan(found.drift)


def test_blocks_of_rows_are_summed(monkeypatch):
    old, new = torch.ones(7, 3), torch.ones(7, 3)
    new[[0, 3, 6]] = 2.0
    other = torch.where(torch.arange(7)[:, None] < 4, 3.0, old)
    whole = moved("embed_tokens.weight", old, [new, other])
    assert whole.unchanged == pytest.approx(4 / 7) and whole.jaccard == pytest.approx(2 / 5)
    assert whole.moved == pytest.approx((9 / 21) ** 0.5) and math.isnan(whole.drift)
    monkeypatch.setattr("rlft.measure.moved._BLOCK", 6)
    assert repr(moved("embed_tokens.weight", old, [new, other])) == repr(whole)


@pytest.mark.parametrize("told", [{"share": 0.0}, {"rank": 1.5}, {"eta": -1.0}, {"only": "("}])
def test_what_cannot_be_asked_for(told):
    with pytest.raises(UserError):
        Looking(**told)


def test_kinds():
    assert kind("model.layers.3.self_attn.q_proj.weight") == "self_attn.q_proj"
    assert kind("model.norm.weight") == "norm" and kind("lm_head.weight") == "lm_head" and kind("net.0.weight") == "0"


def test_together_is_a_mean_by_entries():
    one = Moved("layers.0.a.weight", 100, 0.5, 0.1, drift=0.2, turned=3.0)
    other = Moved("layers.1.a.weight", 300, 0.9, 0.2, drift=0.4, turned=1.0)
    norm = Moved("norm.weight", 10, 1.0, 0.0)
    both = by_kind([one, norm, other])
    assert list(both) == ["a", "norm"] and both["a"].entries == 400
    assert (
        both["a"].unchanged == pytest.approx(0.8) and both["a"].drift == pytest.approx(0.35) and both["a"].turned == 3
    )
    all_ = together([one, norm, other])
    assert all_.drift == pytest.approx(0.35) and all_.unchanged == pytest.approx((50 + 270 + 10) / 410)
    assert math.isnan(all_.jaccard)
