"""Credit: exact numbers, NaN rewards, degenerate cases."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft import advantages as adv
from rlft.runtime.local import Local
from rlft.types import Problem, Rollouts

nan = math.nan


def t(rows):
    return torch.tensor(rows, dtype=torch.float64)


def rows(rewards, mask=None, group=2, **columns):
    rewards = t(rewards)
    mask = torch.ones(len(rewards), 1, dtype=torch.bool) if mask is None else torch.tensor(mask)
    problems = tuple(Problem(i // group, input=i // group) for i in range(len(rewards)))
    blank = Rollouts(problems, group, [None] * len(rewards), {}, mask, torch.zeros(mask.shape, dtype=torch.float64))
    return blank.fill(rewards=rewards, position=torch.arange(len(rewards)), **columns)


def test_center_and_leave_one_out():
    # the others of the first average 1/3, of the second 2/3
    r = t([[1.0, 0, 0, 1], [3.0, 3, 3, 3]])
    assert_close(adv.leave_one_out(r), t([[2 / 3, -2 / 3, -2 / 3, 2 / 3], [0, 0, 0, 0]]))
    assert_close(adv.leave_one_out(r), adv.center(r) * 4 / 3)


def test_zscore():
    r = t([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]])
    # mean 3, squares 4 + 1 + 9 = 14; /2 = 7, /3 = 4.667
    assert_close(adv.zscore(r), t([[-2.0, -1.0, 3.0], [0, 0, 0]]) / math.sqrt(7))
    assert_close(adv.zscore(r, correction=0)[0], t([-2.0, -1.0, 3.0]) / math.sqrt(14 / 3))
    one_of_eight = t([[1.0, 0, 0, 0, 0, 0, 0, 0]])
    assert_close(adv.zscore(one_of_eight, correction=0)[0, 0], t(math.sqrt(7)))


def test_softmax():
    """e^0 : e^ln2 : e^ln4 = 1 : 2 : 4 of 3; a baseline cancels; NaN is out, the others are a group of fewer."""
    r = t([[0.0, math.log(2), math.log(4)], [nan, 5.0, 5.0 + math.log(3) / 2]])
    assert_close(adv.softmax(1.0)(r)[0], t([3 / 7, 6 / 7, 12 / 7]))
    assert_close(adv.softmax(2.0)(r)[1], t([nan, 0.5, 1.5]), equal_nan=True)
    assert_close(adv.softmax(2.0)(adv.center(r)), adv.softmax(2.0)(r), equal_nan=True)
    assert adv.softmax(0.0)(r[:1]).tolist() == [[1, 1, 1]]
    assert adv.softmax(1e6)(r[:1]).tolist() == [[0, 0, 3]]
    assert adv.softmax(1.0)(t([[nan, nan]])).isnan().all()


def test_rounding_is_not_a_signal():
    r = torch.full((1, 8), 0.1) * 3
    r[0, 0] += 3e-8
    assert r.std() > 0
    assert (adv.zscore(r) == 0).all()
    assert (adv.group_mean_batch_std(r) == 0).all()


def test_unscored_rows_are_passed_over():
    r = t([[1.0, nan, 4.0], [nan, nan, 2.0]])
    assert_close(adv.center(r), t([[-1.5, nan, 1.5], [nan, nan, 0.0]]), equal_nan=True)
    assert_close(adv.leave_one_out(r), t([[-3.0, nan, 3.0], [nan, nan, 0.0]]), equal_nan=True)
    assert_close(adv.zscore(r)[0], t([-1.5, nan, 1.5]) / math.sqrt(4.5), equal_nan=True)
    assert_close(adv.best_of(r), t([[nan, nan, 1.0], [nan, nan, 1.0]]), equal_nan=True)
    assert_close(adv.batch_baseline(r), r - 7 / 3, equal_nan=True)
    assert_close(adv.at_least(2.0)(r), t([[nan, nan, 1.0], [nan, nan, 1.0]]), equal_nan=True)


def test_best_of_takes_the_first_of_equals():
    assert_close(adv.best_of(t([[2.0, 5.0, 5.0]])), t([[nan, 1.0, nan]]), equal_nan=True)


def test_lite_is_group_normalised_times_the_ratio_of_deviations():
    r = t([[1.0, 2.0, 6.0], [0.0, 1.0, 0.5]])
    std_k, std_nk = r.std(1, keepdim=True), r.std()
    assert_close(adv.group_mean_batch_std(r), adv.zscore(r) * std_k / std_nk)
    solved_and_failed = t([[1.0, 1.0], [0.0, 0.0]])
    assert (adv.group_mean_batch_std(solved_and_failed) == 0).all()
    assert (adv.batch_normalised(solved_and_failed) != 0).all()


def test_batch_normalised():
    r = t([[1.0, 2.0], [6.0, nan]])
    assert_close(adv.batch_normalised(r), t([[-2.0, -1.0], [3.0, nan]]) / math.sqrt(7), equal_nan=True)


def test_overlong():
    # limit 20, cache 8: free up to 12, -1 at 20
    assert_close(
        adv.overlong(torch.tensor([5, 12, 14, 20, 30]), limit=20, cache=8), torch.tensor([0, 0, -0.25, -1, -1])
    )


MASK = [[True, False, True, True], [True, True, False, False]]


def test_gae_by_hand():
    reward = t([[1.0, 9.0, 2.0, 3.0], [0.5, 4.0, 7.0, 7.0]])
    values = t([[0.5, 8.0, 1.0, 2.0], [0.25, 3.0, 6.0, 6.0]])
    g, lam = 0.9, 0.8
    # row 0 decides at 0, 2, 3: d3 = 3-2 = 1; d2 = 2+.9*2-1 = 2.8; d0 = 1+.9*1-.5 = 1.4
    a3, a2 = 1.0, 2.8 + g * lam * 1.0
    # row 1: d1 = 4-3 = 1; d0 = .5+.9*3-.25 = 2.95
    expected = t([[1.4 + g * lam * a2, 0, a2, a3], [2.95 + g * lam * 1.0, 1.0, 0, 0]])
    assert_close(adv.gae_scan(reward, values, torch.tensor(MASK), g, lam), expected)


def test_gae_degenerates():
    reward, values, mask = t([[1.0, 2.0, 4.0]]), t([[0.3, 0.6, 0.9]]), torch.ones(1, 3, dtype=torch.bool)
    monte_carlo = t([[1 + 0.9 * 2 + 0.81 * 4, 2 + 0.9 * 4, 4.0]])
    assert_close(adv.gae_scan(reward, values, mask, 0.9, 1.0), monte_carlo - values)
    assert_close(adv.return_to_go(reward, mask, 0.9), monte_carlo)
    one_step = t([[1 + 0.9 * 0.6 - 0.3, 2 + 0.9 * 0.9 - 0.6, 4 - 0.9]])
    assert_close(adv.gae_scan(reward, values, mask, 0.9, 0.0), one_step)


def test_rewards_of_decisions():
    old, ref = t([[-1.0, 0, -2.0, -3.0], [-1.0, -1.0, 0, 0]]), t([[-1.5, 0, -1.0, -3.0], [-1.0, -4.0, 0, 0]])
    r = rows([2.0, 5.0], MASK, logp_ref=ref)
    r = Rollouts(r.problems, 2, r.outputs, {}, r.mask, old, r.filled)
    assert_close(adv.rewards_of_decisions(r), t([[0, 0, 0, 2.0], [0, 5.0, 0, 0]]))
    # minus 0.1 (old - ref)
    assert_close(adv.rewards_of_decisions(r, 0.1), t([[-0.05, 0, 0.1, 2.0], [0, 4.7, 0, 0]]))
    dense = r.fill(reward_at=t([[1.0, 7.0, 2.0, 3.0], [4.0, 5.0, 7.0, 7.0]]))
    assert_close(adv.rewards_of_decisions(dense), t([[1.0, 0, 2.0, 3.0], [4.0, 5.0, 0, 0]]))
    unscored = rows([nan, 5.0], MASK)
    assert adv.rewards_of_decisions(unscored)[0].isnan().all()


def test_gae_credit_fits_the_critic_to_unnormalised_returns():
    values = t([[0.5, 0, 1.0, 2.0], [0.25, 3.0, 0, 0]])
    r = rows([2.0, 5.0], MASK, values=values)
    columns = adv.gae(gamma=0.9, lam=0.8)(r, Local())
    raw = adv.gae(gamma=0.9, lam=0.8, normalise=False)(r, Local())
    assert_close(columns["returns"], raw["advantages"] + values)
    on = columns["advantages"][r.mask]
    assert_close(on, (raw["advantages"][r.mask] - raw["advantages"][r.mask].mean()) / raw["advantages"][r.mask].std())
    assert (columns["advantages"][~r.mask] == 0).all()


def test_a_row_that_was_cut_off_goes_on_as_the_others_do():
    """By hand, gamma .5, lam .8. Row 0 is cut after its first decision and row 1 after its last, row 2 ends."""
    mask = [[True, False], [True, True], [True, True]]
    values, beyond = t([[1.0, 0.0], [1.0, 2.0], [0.5, 1.5]]), t([[2.0, nan], [nan, 6.0], [nan, nan]])
    r = rows([1.0, 4.0, 3.0], mask, group=1, values=values, beyond=beyond)
    # δ: row 0: 1 + .5·2 - 1 = 1;  row 1: .5·2 - 1 = 0 and 4 + .5·6 - 2 = 5;  row 2: .5·1.5 - .5 = .25 and 3 - 1.5 = 1.5
    # after column 0 follow A = 5 + .4 m and 1.5; after column 1 nothing, so m, the mean of all that follow anything:
    # m = (6.5 + .4 m) / 2 = 6.5 / 1.6
    m = 6.5 / 1.6
    columns = adv.gae(gamma=0.5, lam=0.8, normalise=False)(r, Local())
    expected = t([[1 + 0.4 * m, 0], [0.4 * (5 + 0.4 * m), 5 + 0.4 * m], [0.25 + 0.4 * 1.5, 1.5]])
    assert_close(columns["advantages"], expected)
    assert_close(columns["returns"], torch.where(r.mask, expected + values, 0))
    # lam 0 is bootstrapping alone
    single = adv.gae(gamma=0.5, lam=0.0, normalise=False)(r, Local())["advantages"]
    assert_close(single, t([[1.0, 0], [0.0, 5.0], [0.25, 1.5]]))
    # gamma = lam = 1: with only a cut row nothing says what follows, and it is bootstrapped too
    whole = adv.gae(gamma=1.0, lam=1.0, normalise=False)(r[[1]], Local())["advantages"]
    assert_close(whole, t([[4.0 + 6 - 1, 4.0 + 6 - 2]]))


def test_a_critic_that_knows_nothing_does_not_take_cuts_for_ends():
    """One a step for ever, values 0: whenever a row is cut, its decisions are worth those of the others."""
    mask = torch.arange(6) < torch.tensor([1, 2, 2, 4, 6, 6])[:, None]
    at_last = mask & (mask.sum(1, keepdim=True) - 1 == torch.arange(6))
    r = rows([1.0] * 6, mask.tolist(), values=0 * mask.double(), beyond=torch.where(at_last, 0.0, nan).double())
    r = r.fill(reward_at=mask.double())
    found = adv.gae(gamma=0.9, lam=0.8, normalise=False)(r, Local())["advantages"]
    assert_close(found[mask], torch.full_like(found[mask], 1 / (1 - 0.72)))


class Half(Local):
    """One of two processes, which are threads: they meet at every exchange."""

    def __init__(self, rank, page, barrier):
        self.rank, self.page, self.barrier = rank, page, barrier

    def gather(self, column):
        self.page[self.rank] = column
        self.barrier.wait()
        whole = torch.cat([self.page[0], self.page[1]])
        self.barrier.wait()
        return whole


def test_what_follows_a_cut_is_the_mean_over_processes():
    """Rows of other lengths on each, one of them without a row that goes on."""
    mask = [[True, False], [True, False], [True, True], [True, True]]
    values, beyond = (
        t([[1.0, 0], [2.0, 0], [1.0, 2.0], [0.5, 1.5]]),
        t([[2.0, nan], [nan, nan], [nan, 6.0], [nan, nan]]),
    )
    r = rows([1.0, 2.0, 4.0, 3.0], mask, values=values, beyond=beyond)
    whole = adv.past_cuts(adv.rewards_of_decisions(r), r, 0.5, 0.8, Local())
    short = replace(r[:2], mask=r.mask[:2, :1], logp_old=r.logp_old[:2, :1])
    short = replace(short, filled={n: c[:, :1] if c.ndim == 2 else c for n, c in short.filled.items()})
    page, barrier = {}, threading.Barrier(2)

    def share(rank, own):
        return adv.past_cuts(adv.rewards_of_decisions(own), own, 0.5, 0.8, Half(rank, page, barrier))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(share, (0, 1), (short, r[2:]))
    assert_close(first, whole[:2, :1])
    assert_close(second, whole[2:])
    assert not torch.allclose(first, adv.past_cuts(adv.rewards_of_decisions(short), short, 0.5, 0.8, Local()))


def test_rows_that_end_are_not_bootstrapped():
    values = t([[0.5, 0, 1.0, 2.0], [0.25, 3.0, 0, 0]])
    plain = rows([2.0, 5.0], MASK, values=values)
    ended = plain.fill(beyond=torch.full_like(values, nan))
    for name, column in adv.gae(gamma=0.9, lam=0.8)(plain, Local()).items():
        assert torch.equal(column, adv.gae(gamma=0.9, lam=0.8)(ended, Local())[name])


def test_a_row_without_a_reward_says_nothing_about_what_follows_a_cut():
    values, beyond = t([[1.0, 2.0]] * 3), t([[nan, 6.0], [nan, nan], [nan, 5.0]])
    mask = [[True, True]] * 3
    r = rows([4.0, 3.0, nan], mask, values=values, beyond=beyond)
    found = adv.gae(0.5, 0.8, normalise=False)(r, Local())["advantages"]
    assert_close(found[:2], adv.gae(0.5, 0.8, normalise=False)(r[[0, 1]], Local())["advantages"])
    assert found[2].isnan().all()


def test_prompt_statistics():
    part = adv.PromptStatistics(buffer=3, at_least=3)
    # too few of either prompt: over the batch
    first = part(rows([1.0, 3.0, 10.0, 20.0]), Local())
    assert_close(first, (t([1, 3, 10, 20]) - 8.5) / t([1.0, 3, 10, 20]).std(correction=0))
    # now prompt 0 holds 3, 5, 9 (the 1 has left), prompt 1 holds 20, 30, 40
    second = part(rows([5.0, 9.0, 30.0, 40.0]), Local())
    mean, std = 17 / 3, t([3.0, 5, 9]).std(correction=0)
    assert_close(second[:2], (t([5.0, 9.0]) - mean) / (std + 1e-6))
    assert_close(second[2:], (t([30.0, 40.0]) - 30) / (t([20.0, 30, 40]).std(correction=0) + 1e-6))
    copy = adv.PromptStatistics(buffer=3, at_least=3)
    copy.load_state_dict(part.state_dict())
    again = rows([7.0, 8.0, 1.0, 2.0])
    assert torch.equal(copy(again, Local()), part(again, Local()))


@pytest.mark.parametrize("order", [1, -1])
def test_prompt_statistics_count_all_of_a_step(order):
    """More rewards in a step than the buffer holds: none is judged by the last sixteen alone."""
    part = adv.PromptStatistics()
    rewards = t(list(range(32))[::order])
    assert_close(part(rows(rewards.tolist(), group=32), Local()), (rewards - 15.5) / (rewards.std(correction=0) + 1e-6))
    # the last sixteen are kept, and count beside few new ones
    later = rows([5.0, 7.0, 9.0, 11.0], group=4)
    seen = torch.cat([rewards[-12:], later.rewards])
    assert_close(part(later, Local()), (later.rewards - seen.mean()) / (seen.std(correction=0) + 1e-6))
