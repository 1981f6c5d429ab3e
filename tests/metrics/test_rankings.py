"""Kendall's tau by hand, with ties."""

import math

import torch
from torch.testing import assert_close

from rlft.metrics.rankings import kendall_tau

nan = math.nan


def test_tau_by_hand():
    first = torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 6)
    second = torch.tensor(
        [
            [10.0, 20.0, 30.0, 40.0],
            [4.0, 3.0, 2.0, 1.0],
            [1.0, 2.0, 4.0, 3.0],  # one pair of six the other way
            [1.0, 1.0, 2.0, 2.0],  # two pairs tied: 4 / sqrt(6 · 4)
            [5.0, 5.0, 5.0, 5.0],
            [1.0, nan, 2.0, 3.0],
        ]
    )
    expected = torch.tensor([1, -1, 4 / 6, 4 / math.sqrt(24), nan, nan], dtype=torch.float64)
    assert_close(kendall_tau(first, second), expected, equal_nan=True, atol=1e-12, rtol=0)
    assert_close(kendall_tau(second, first), expected, equal_nan=True, atol=1e-12, rtol=0)


def test_both_with_ties():
    a, b = torch.tensor([[1.0, 1.0, 2.0]]), torch.tensor([[1.0, 2.0, 2.0]])
    # pairs: tied in a, the same way, tied in b
    assert float(kendall_tau(a, b)) == 0.5
