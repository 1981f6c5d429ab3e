"""Which decisions are singled out: by hand, and the same whoever holds the rows."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import center, per_group
from rlft.advantages.covariance import covariance, most_covariant, random_covariant
from rlft.runtime.local import Local
from rlft.types import UserError
from tests.advantages.test_advantages import Half, rows, t

nan = math.nan
MASK = [[True, True, False], [True, True, True], [True, False, False], [True, True, False]]
LOGP = t([[-1.0, -3.0, 0.0], [-2.0, -5.0, -1.0], [-4.0, 0.0, 0.0], [-0.5, -1.5, 0.0]])


def batch(rewards=(3.0, 1.0, 0.0, 6.0)):
    return replace(rows(rewards, MASK), logp_old=LOGP)


def test_covariance():
    on = torch.tensor(MASK)[:2]
    # log pi: mean -2.4; A 1, 1, -1, -1, -1: mean -.2
    found = covariance(LOGP[:2], t([[1.0, 1.0, 9.0], [-1.0] * 3]), on)
    assert_close(found, t([[1.4 * 1.2, -0.6 * 1.2, 0], [-0.4 * 0.8, 2.6 * 0.8, -1.4 * 0.8]]))


def test_the_highest_are_singled_out():
    # A: 1 1 | -1 -1 -1 | -3 | 3 3, mean 2/8; log pi: mean -18/8. Highest: row 3's first 1.75 2.75, row 2 1.75 3.25,
    # row 1's second 2.75 1.25, then row 3's second .75 2.75
    def chosen(share):
        found = most_covariant(per_group(center), share)(batch(), Local())
        assert_close(found["advantages"][:, 0], t([1.0, -1.0, -3.0, 3.0]))
        return found["emphasis"].nonzero().tolist()

    assert chosen(0.25) == [[2, 0], [3, 0]]
    assert chosen(0.4) == [[1, 1], [2, 0], [3, 0]]  # the whole part of 3.2
    assert chosen(0.5) == [[1, 1], [2, 0], [3, 0], [3, 1]]
    assert chosen(0.01) == [[2, 0]]  # one at least
    assert chosen(0.0) == []
    assert len(chosen(1.0)) == 8
    with pytest.raises(UserError, match="from 0 to 1; got 2"):
        most_covariant(per_group(center), 2.0)


def test_unscored_rows_have_no_say():
    # A: 1 1 | -1 -1 -1 | 0 0, mean -1/7; log pi: mean -2. Row 1's second 18/7, row 0's first 8/7, row 3's first 1.5/7
    found = most_covariant(per_group(center), 0.5)(batch((3.0, 1.0, nan, 6.0)), Local())
    assert found["emphasis"].nonzero().tolist() == [[0, 0], [1, 1], [3, 0]]
    assert found["advantages"][2].isnan().all()


def test_some_between_the_bounds():
    """Of those with 2 < Cov < 5: row 1's second 3.44, row 3's first 4.81, second 2.06; row 2's 5.69 is beyond."""
    between = {(1, 1), (3, 0), (3, 1)}

    def chosen(share, visit=0):
        r = batch()
        r = replace(r, problems=tuple(replace(p, visit=visit) for p in r.problems))
        found = random_covariant(per_group(center), share, 2.0, 5.0)(r, Local())["emphasis"]
        return {tuple(place) for place in found.nonzero().tolist()}

    assert chosen(1.0) == between
    assert chosen(0.0) == set()
    seen = [frozenset(chosen(0.13, visit)) for visit in range(40)]
    assert {len(s) for s in seen} == {1} and frozenset().union(*seen) == between
    assert chosen(0.13) == chosen(0.13)


@pytest.mark.parametrize("credit", [most_covariant, random_covariant])
def test_processes_choose_together(credit):
    credit = credit(per_group(center), 0.4, *((-1.0, 9.0) if credit is random_covariant else ()))
    whole = batch()
    expected = credit(whole, Local())["emphasis"]
    assert expected.sum() == 3
    first, second = whole[:2], whole[2:]
    second = replace(second, mask=second.mask[:, :2], logp_old=second.logp_old[:, :2])
    page, barrier = {}, threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        # the second process holds the first problem's rows: places tell, not who holds them
        found = list(pool.map(lambda rank, own: credit(own, Half(rank, page, barrier)), (1, 0), (first, second)))
    assert_close(found[0]["emphasis"], expected[:2])
    assert_close(found[1]["emphasis"], expected[2:, :2])
