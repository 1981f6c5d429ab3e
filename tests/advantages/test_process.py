"""Group baselines for rewards of decisions and for blame: by hand, and what they degenerate into."""

import math

import torch
from torch.testing import assert_close

from rlft import advantages as adv
from rlft.advantages.process import blame_zscore, to_go_zscore
from rlft.runtime.local import Local
from tests.advantages.test_advantages import rows, t

MASK = [[True, True, False], [True, True, True]]


def test_what_is_still_to_come():
    # rewards 5 and 2: mean 3.5, deviation sqrt(4.5)
    r = rows([5.0, 2.0], MASK).fill(reward_at=t([[1.0, 4.0, 0.0], [0.0, -1.0, 3.0]]))
    assert_close(
        to_go_zscore(r, Local()) * math.sqrt(4.5), t([[1.5, 0.5, -3.5], [-1.5, -1.5, -0.5]]) * torch.ones(2, 3)
    )


def test_at_the_end_it_is_zscore():
    r = rows([5.0, 2.0, 1.0, math.nan], [*MASK, *MASK])
    found, plain = to_go_zscore(r, Local()), adv.per_group(adv.zscore)(r, Local())
    on = r.mask
    assert_close(found[on], plain[:, None].expand_as(found)[on], equal_nan=True)
    assert not to_go_zscore(rows([2.0, 2.0], MASK), Local()).any()


BLAME = [[0.0, 0.5, 9.0], [0.0, 1.0, 1.0]]


def test_what_is_blamed_is_worth_less():
    """Worth 2, 1.5 and 0, -1, -1: mean 0.3, squares 2.89 + 1.44 + 0.09 + 1.69 + 1.69 = 7.8 over 4."""
    r = rows([1.0, 0.0], MASK).fill(blame=t(BLAME))
    expected = t([[1.7, 1.2, 0.0], [-0.3, -1.3, -1.3]]) / math.sqrt(7.8 / 4)
    assert_close(blame_zscore(2.0, 1.0)(r, Local()), expected)


def test_every_decision_of_a_right_row_is_above_any_of_a_wrong_one():
    """correct 2 and penalty 1: the four kinds are worth 2, 1, 0, -1, and stand in that order at even distances."""
    r = rows([1.0, 0.0], [[True, True], [True, True]]).fill(blame=t([[0.0, 1.0], [0.0, 1.0]]))
    found = blame_zscore(2.0, 1.0)(r, Local()).flatten()
    assert_close(found, t([1.5, 0.5, -0.5, -1.5]) / math.sqrt(5 / 3))
    assert (blame_zscore(1.0, 2.0)(r, Local()).flatten().argsort(descending=True) == torch.tensor([0, 2, 1, 3])).all()


def test_without_penalty_it_is_zscore_where_rows_are_alike_long():
    """But for Bessel's correction, of 6 decisions and not of 2 rows: sqrt(5/3) against sqrt(1/1)/sqrt(2)."""
    r = rows([5.0, 2.0], [[True] * 3] * 2)
    plain = adv.per_group(lambda x: adv.zscore(x, correction=0))(r, Local())[:, None].expand(2, 3)
    for blamed in (r, r.fill(blame=t(BLAME))):
        assert_close(blame_zscore(2.0, 0.0)(blamed, Local()), plain * math.sqrt(5 / 6))


def test_blame_tells_rows_apart_that_are_all_wrong_and_passes_over_unscored_ones():
    r = rows([0.0, 0.0, 0.0, math.nan], [*MASK, *MASK]).fill(blame=t([*BLAME, [[0.0] * 3] * 2][0:2] + [[0.0] * 3] * 2))
    found = blame_zscore(2.0, 1.0)(r, Local())
    # worth 0, -0.5; 0, -1, -1: mean -0.5, squares 0.25 + 0 + 0.25 + 0.25 + 0.25
    assert_close(found[:2], t([[0.5, 0.0, 0.0], [0.5, -0.5, -0.5]]) / math.sqrt(1 / 4))
    assert not found[2].any() and found[3][r.mask[3]].isnan().all()
