"""z-scores of rewards over the batch and over groups."""

import math

import pytest
import torch

from rlft.errors import UserError
from rlft.rewards.adapt import combine, each
from rlft.rewards.normalised import normalised, z_scores
from rlft.types import Parts, Problem

TWO = [Problem(0, "a")] * 3 + [Problem(1, "b")] * 3
OUTPUTS = ["1", "2", "3", "10", "10", "10"]
number = each(lambda problem, output: None if output == "?" else float(output))


def test_over_the_batch():
    """1, 2, 3, 10, 10, 10: mean 6, variance (25 + 16 + 9 + 3 · 16) / 6 = 49/3."""
    found = normalised(number)(TWO, OUTPUTS)
    deviation = math.sqrt(49 / 3)
    assert found["normalised"].tolist() == pytest.approx([x / deviation for x in (-5, -4, -3, 4, 4, 4)], rel=1e-6)
    assert found.watch["raw"].tolist() == [1, 2, 3, 10, 10, 10]


def test_over_groups():
    found = normalised(number, over="group")(TWO, OUTPUTS)["normalised"]
    assert found.tolist() == pytest.approx([-math.sqrt(1.5), 0, math.sqrt(1.5), 0, 0, 0], rel=1e-6)


def test_an_affine_change_is_none_and_a_constant_is_zero():
    scores = torch.tensor([0.25, 0.5, 0.0, 1.0])
    rows = [Problem(0, "a")] * 4
    torch.testing.assert_close(z_scores(3 * scores - 7, rows, "batch"), z_scores(scores, rows, "batch"))
    found = z_scores(scores, rows, "batch")
    assert found.mean().item() == pytest.approx(0, abs=1e-6)
    assert found.std(correction=0).item() == pytest.approx(1, rel=1e-6)
    assert z_scores(torch.full((4,), 0.1), rows, "batch").tolist() == [0, 0, 0, 0]


def test_what_is_not_scored_stays_so_and_counts_for_nothing():
    found = normalised(number)([Problem(0, "a")] * 3, ["1", "?", "3"])["normalised"]
    assert found.isnan().tolist() == [False, True, False]
    assert found[[0, 2]].tolist() == pytest.approx([-1, 1])
    assert normalised(number)([Problem(0, "a")], ["?"])["normalised"].isnan().all()


def test_of_parts_the_sum():
    both = combine({"one": number, "two": number}, {"two": 2.0})
    found = normalised(lambda problems, outputs: both(problems, outputs))(TWO, OUTPUTS)
    assert found.watch["raw"].tolist() == [3, 6, 9, 30, 30, 30]
    watched = normalised(lambda problems, outputs: Parts({"a": torch.ones(6)}, {"seen": torch.zeros(6)}))
    assert set(watched(TWO, OUTPUTS).watch) == {"seen", "raw"}


def test_it_is_over_one_of_two():
    with pytest.raises(UserError, match="'batch' or 'group'"):
        normalised(number, over="run")
