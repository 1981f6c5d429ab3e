"""Every family goes on from the middle of a row: what was decided is kept, what follows is the policy's own."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.methods.ppo import ppo
from rlft.tool.self_test import FAMILIES
from rlft.types import Resumable, Rollouts, UserError

# What a trace says of each decision.
COLUMNS = {
    "control": ("observations", "actions", "executed", "clock", "world"),
    "diffusion": ("states",),
    "masked": ("states",),
    "language": ("completion",),
    "seeing": ("completion",),
    "hearing": ("completion",),
}
GROUP = 3


class Case:
    """Rows of three problems, two of each, cut at places of their own: at 0, in the middle, at the last decision."""

    def __init__(self, family):
        self.family, self.trainer = family, FAMILIES[family][0](ppo(), dtype=torch.float64)
        self.policy, task = self.trainer.policy, self.trainer.task
        drawn = self.policy.sample([task.at(index) for index in range(12)], 2, seed=5)
        long = (drawn.mask.sum(1) >= 4).nonzero()[:, 0].tolist()
        pairs = [row for row in long if row + 1 in long and row % 2 == 0][:3]
        assert len(pairs) == 3
        self.rows = drawn[[row + i for row in pairs for i in (0, 1)]]
        length = self.rows.mask.sum(1)
        self.at = torch.stack(
            [0 * length[0], length[1] - 1, length[2] // 2, 1 + 0 * length[3], length[4] - 2, length[5]]
        )
        self.length = length
        assert len(self.at[:4].unique()) > 2

    def resume(self, rows=None, at=None, group=GROUP, seed=9):
        return self.policy.resume(self.rows if rows is None else rows, self.at if at is None else at, group, seed)

    def same(self, one, other, atol=1e-9):
        """The same decisions, for each row as long as it is; batches may be padded differently."""
        both = Rollouts.concat([replace(one, filled={}), replace(other, filled={}, group=one.group)])
        half = len(one)
        assert torch.equal(both.mask[:half], both.mask[half:])
        assert_close(both.logp_old[:half], both.logp_old[half:], atol=atol, rtol=0)
        for name in COLUMNS[self.family]:
            assert_close(both.trace[name][:half], both.trace[name][half:], atol=atol, rtol=0)


@pytest.fixture(scope="module", params=FAMILIES)
def case(request):
    return Case(request.param)


def test_every_family_is_resumable(case):
    assert isinstance(case.policy, Resumable)
    assert set(COLUMNS) == set(FAMILIES)


def test_what_was_decided_is_kept_and_off_the_mask(case):
    branches = case.resume()
    assert len(branches) == len(case.rows) * GROUP
    assert branches.group == GROUP
    for row, problem in enumerate(branches.problems):
        parent, at = row // GROUP, int(case.at[row // GROUP])
        assert problem == case.rows.problems[parent]
        for name in COLUMNS[case.family]:
            assert torch.equal(branches.trace[name][row, :at], case.rows.trace[name][parent, :at])
        assert not branches.mask[row, :at].any()
        assert bool(branches.mask[row].any()) == (at < case.length[parent])
        assert bool(branches.mask[row, at : at + 1].any()) == (at < case.length[parent])
    assert not branches.logp_old[~branches.mask].any()


def test_at_the_end_nothing_is_left_to_decide(case):
    branches = case.resume(at=case.length, group=2)
    assert not branches.mask.any()
    assert not branches.logp_old.any()
    for name in COLUMNS[case.family]:
        width = case.rows.trace[name].shape[1]
        assert torch.equal(branches.trace[name][::2][:, :width], case.rows.trace[name])
    shown = [case.policy.show(output) for output in branches.outputs]
    assert shown[::2] == shown[1::2] == [case.policy.show(output) for output in case.rows.outputs]


def test_the_first_ratio_is_one(case):
    branches = case.resume()
    assert_close(case.policy.log_prob(branches).detach(), branches.logp_old, atol=1e-9, rtol=0)
    assert branches.logp_old[branches.mask].abs().min() > 0


def test_continuations_part_at_the_cut(case):
    """From each other, from their parent, and under another seed; the same call gives the same bits."""
    branches, again, other = case.resume(group=40), case.resume(group=40), case.resume(group=40, seed=10)
    assert torch.equal(branches.logp_old, again.logp_old)
    for name, values in branches.trace.items():
        assert torch.equal(values, again.trace[name])
    first = branches.logp_old.unflatten(0, (-1, 40))
    for row, (at, length) in enumerate(zip(case.at.tolist(), case.length.tolist(), strict=True)):
        if at < length:
            assert len(first[row, :, at].unique()) > 3
            assert first[row, 0, at] != case.rows.logp_old[row, at] or first[row, 1, at] != case.rows.logp_old[row, at]
    assert not torch.equal(other.logp_old[:, :3], branches.logp_old[:, :3])


def test_a_continuation_is_the_same_whoever_draws_it(case):
    """In another order, alone, in another group size."""
    whole = case.resume()
    order = [4, 0, 3, 5, 2, 1]
    turned = case.resume(case.rows[order], case.at[order])
    case.same(whole[[row * GROUP + sample for row in order for sample in range(GROUP)]], turned)
    alone = case.resume(case.rows[[2]], case.at[[2]])
    case.same(whole[[2 * GROUP + sample for sample in range(GROUP)]], alone)
    fewer = case.resume(group=2)
    case.same(whole[[row * GROUP + sample for row in range(6) for sample in range(2)]], fewer)


def test_two_equal_cuts_of_a_problem_are_two(case):
    branches = case.resume(case.rows[[2, 2]], case.at[[2, 2]])
    assert not torch.equal(branches.logp_old[:GROUP], branches.logp_old[GROUP:])


def test_what_was_decided_has_no_gradient(case):
    branches = case.resume(at=case.length // 2)
    place = torch.arange(branches.mask.shape[1])
    before = place < (case.length // 2).repeat_interleave(GROUP)[:, None]

    def gradient(mask):
        case.policy.zero_grad()
        case.policy.log_prob(replace(branches, mask=mask)).sum().backward()
        return torch.cat([p.grad.flatten() for p in case.policy.parameters() if p.grad is not None])

    own, whole, kept = (gradient(mask) for mask in (branches.mask, branches.mask | before, before))
    # a Llama's norm works in float32 whatever its weights are, and the passes differ in width
    assert_close(own, whole - kept, atol=2e-6, rtol=0)
    assert min(own.abs().max(), kept.abs().max()) > 1e-2


def test_a_continuation_is_gone_on_from(case):
    """A branch of a branch keeps what both decided."""
    branches = case.resume(at=torch.ones_like(case.at))
    length = torch.where(branches.mask.any(1), branches.mask.sum(1) + 1, 1)
    at = (length // 2).clamp(min=1)
    again = case.policy.resume(branches, at, 2, 3)
    assert (at > 1).any()
    for row, parent in enumerate(torch.arange(len(branches)).repeat_interleave(2).tolist()):
        for name in COLUMNS[case.family]:
            cut = int(at[parent])
            assert torch.equal(again.trace[name][row, :cut], branches.trace[name][parent, :cut])
    assert_close(case.policy.log_prob(again).detach(), again.logp_old, atol=1e-9, rtol=0)


def test_drawn_and_resumed_rows_are_joined(case):
    drawn = case.policy.sample(case.rows.problems[:2], GROUP, seed=1)
    both = Rollouts.concat([case.resume(), drawn])
    assert_close(case.policy.log_prob(both).detach(), both.logp_old, atol=1e-9, rtol=0)
    assert set(drawn.trace) == set(both.trace) == set(case.rows.trace)


@pytest.mark.parametrize("place", [-1, "beyond"])
def test_a_cut_outside_the_row_is_refused(case, place):
    at = case.at.clone()
    at[3] = place if place == -1 else case.length[3] + 1
    with pytest.raises(UserError, match=f"row 3 has {int(case.length[3])} decisions and cannot be cut at {int(at[3])}"):
        case.resume(at=at)
