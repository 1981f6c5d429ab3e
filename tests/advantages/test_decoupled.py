"""One lambda for the actor and one for the critic, and the rows that are to be imitated: by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft import advantages as adv
from rlft.advantages.decoupled import decoupled_gae, length_adaptive, with_solved
from rlft.runtime.local import Local
from rlft.types import UserError
from tests.advantages.test_advantages import rows, t

nan = math.nan
MASK = [[True, True, False, False], [True, True, True, True]]


def test_length_adaptive():
    # 1 - 1/(.25 l): l 2 -> -1 and so 0, 4 -> 0, 8 -> .5, 40 -> .9
    assert_close(length_adaptive(torch.tensor([0, 2, 4, 8, 40]), 0.25), torch.tensor([0.0, 0.0, 0.0, 0.5, 0.9]))
    with pytest.raises(UserError, match="above 0; got 0"):
        length_adaptive(torch.tensor([3]), 0.0)


def test_each_row_has_its_own_lambda_and_the_returns_theirs():
    values = t([[0.5, 1.0, 0, 0], [1.0, 2.0, 3.0, 5.0]])
    r = rows([2.0, 7.0], MASK, values=values)
    found = decoupled_gae(gamma=1.0, lam=None, critic_lam=1.0, alpha=0.5, normalise=False)(r, Local())
    # row 0: 1 - 1/(.5 2) = 0, one step ahead: 1 - .5, 2 - 1. Row 1: .5; deltas 1, 1, 2, 2
    last = [1 + 0.5 * (1 + 0.5 * (2 + 0.5 * 2)), 1 + 0.5 * (2 + 0.5 * 2), 2 + 0.5 * 2, 2.0]
    assert_close(found["advantages"], t([[0.5, 1.0, 0, 0], last]))
    assert_close(found["returns"], t([[2.0, 2.0, 0, 0], [7.0] * 4]))
    whitened = decoupled_gae(1.0, None, 1.0, alpha=0.5)(r, Local())
    on = found["advantages"][r.mask]
    assert_close(whitened["advantages"][r.mask], (on - on.mean()) / on.std())
    assert_close(whitened["returns"], found["returns"])


def test_with_one_lambda_it_is_gae():
    values, beyond = t([[1.0, 2.0]] * 3), t([[nan, 6.0], [nan, nan], [4.0, nan]])
    r = rows([4.0, 3.0, 1.0], [[True, True], [True, True], [True, False]], group=1, values=values, beyond=beyond)
    for name, column in adv.gae(0.5, 0.8, normalise=True)(r, Local()).items():
        assert torch.equal(column, decoupled_gae(0.5, 0.8, 0.8, alpha=0.3)(r, Local())[name])


def test_a_row_that_is_cut_off_goes_on_with_its_own_lambda():
    """Lambdas 0 and .5: row 0 is bootstrapped alone, and row 1's cut gets half of what followed after column 0."""
    values, beyond = t([[1.0, 0.0], [1.0, 2.0]]), t([[3.0, nan], [nan, nan]])
    r = rows([1.0, 4.0], [[True, False], [True, True]], group=1, values=values, beyond=beyond)
    assert_close(
        decoupled_gae(1.0, None, 1.0, alpha=1.0, normalise=False)(r, Local())["advantages"],
        # row 0: 1 + 3 - 1; row 1: 2 - 1 + .5 (4 - 2), 4 - 2
        t([[3.0, 0.0], [2.0, 2.0]]),
    )
    lam = torch.tensor([0.25, 0.5], dtype=torch.float64)
    told = adv.past_cuts(adv.rewards_of_decisions(r), r, 1.0, lam, Local())
    # what follows column 0 is row 1's advantage at column 1, 2
    assert_close(told[0, 0], t(1.0 + 3.0 + 0.25 * 2.0))


def test_with_solved():
    r = rows([1.0, 0.0, 2.0, nan], [[True, True, True], [True, False, False], [True, False, False], [True] * 3])
    found = with_solved(adv.per_group(adv.center), 1.0)(r, Local())
    # decisions of scored rows 5, of right ones 4
    assert_close(found["emphasis"], t([[1.25] * 3, [0, 0, 0], [1.25, 0, 0], [0, 0, 0]]))
    assert_close(found["advantages"][:, 0], t([0.5, -0.5, 0.0, nan]), equal_nan=True)
    assert not with_solved(adv.per_group(adv.center), 3.0)(r, Local())["emphasis"].any()
