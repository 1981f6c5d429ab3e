"""pass@k by hand: all choices of k draws."""

import itertools

import pytest

from rlft.chances import unbiased
from rlft.errors import UserError


def test_unbiased_is_the_mean_over_all_choices():
    for right, drawn in ((0, 4), (1, 4), (2, 5), (5, 5)):
        rows = [1] * right + [0] * (drawn - right)
        for k in range(1, drawn + 1):
            chosen = [max(some) for some in itertools.combinations(rows, k)]
            assert unbiased(right, drawn, k) == pytest.approx(sum(chosen) / len(chosen))
    for wrong in ((3, 2, 1), (1, 4, 5), (1, 4, 0), (-1, 4, 1)):
        with pytest.raises(UserError):
            unbiased(*wrong)
