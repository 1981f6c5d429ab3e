"""Weights, choices and systematic resampling, exactly: noise is laid on a grid, so means are sums."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.guidance.resampling import effective, pick, systematic, weights_of


def grid(count):
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


def test_weights_by_hand():
    values = torch.tensor([[1.0, 3.0, 2.0]])
    whole = math.exp(0.5) + math.exp(1.5) + math.exp(1.0)
    expected = [math.exp(0.5) / whole, math.exp(1.5) / whole, math.exp(1.0) / whole]
    assert weights_of(values, 2.0)[0].tolist() == pytest.approx(expected, abs=1e-12)


def test_the_limits_of_alpha():
    values = torch.tensor([[1.0, 3.0, 2.0, 3.0], [-5.0, -7.0, -5.5, -6.0]])
    assert weights_of(values, 0.0).tolist() == [[0, 0.5, 0, 0.5], [1, 0, 0, 0]]
    assert weights_of(values, math.inf).tolist() == [[0.25] * 4] * 2
    assert_close(weights_of(values, 1e-4), weights_of(values, 0.0))
    assert_close(weights_of(values, 1e6), weights_of(values, math.inf), atol=1e-5, rtol=0)


def test_what_has_no_value_has_no_weight():
    nan = math.nan
    values = torch.tensor([[nan, 3.0, 1.0], [nan, nan, nan]])
    for alpha in (0.0, 0.5):
        assert weights_of(values, alpha)[0, 0] == 0
        assert weights_of(values, alpha)[1].tolist() == pytest.approx([1 / 3] * 3)
    assert weights_of(values, math.inf)[0].tolist() == pytest.approx([1 / 3] * 3)


def test_pick_has_the_chances_of_the_weights():
    weights = torch.tensor([0.2, 0.0, 0.5, 0.3], dtype=torch.float64)
    found = pick(weights.expand(1000, 4), grid(1000))
    assert torch.bincount(found, minlength=4).tolist() == [200, 0, 500, 300]
    certain = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    assert pick(certain, torch.tensor([1e-17, 1 - 1e-16], dtype=torch.float64)).tolist() == [1, 0]


@pytest.mark.parametrize("count", [4, 3, 10])
def test_resampling_conserves_expectation(count):
    """A particle comes count·w times on average, and in each draw that number rounded down or up."""
    weights = torch.tensor([0.23, 0.0, 0.46, 0.31], dtype=torch.float64)
    drawn = systematic(weights.expand(1000, 4), count, grid(1000))
    times = torch.stack([(drawn == i).sum(1) for i in range(4)], dim=1).double()
    assert_close(times.mean(0), count * weights, atol=1e-9, rtol=0)
    assert ((times - count * weights).abs() < 1).all()
    assert (drawn.diff(dim=1) >= 0).all() and len(drawn.unique(dim=0)) > 1


def test_equal_weights_leave_everything_in_place():
    for count in (1, 3, 7, 16, 49):
        weights = torch.full((2, count), 1 / count, dtype=torch.float64)
        for u in (1e-12, 0.5, 1 - 1e-12):
            drawn = systematic(weights, count, torch.full((2,), u, dtype=torch.float64))
            assert drawn.tolist() == [list(range(count))] * 2
    assert effective(weights).tolist() == pytest.approx([49, 49])


def test_effective_number_by_hand():
    assert effective(torch.tensor([[0.5, 0.25, 0.25], [1.0, 0, 0]])).tolist() == pytest.approx([8 / 3, 1])
