"""Dataset resets: how many groups, cut where, placed where, on every process alike; and what they are worth."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.collect.resets import cuts, resets
from rlft.methods.dr_po import dr_po
from rlft.methods.ppo import ppo
from rlft.methods.rloo import rloo
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from rlft.types import Resumable, Rollouts, Teachable, UserError
from tests.fakes import Cards, Final, Table, agreement


class Part(Local):
    """One of several processes, as torchrun shares problems out; nothing is added up."""

    def __init__(self, rank, world):
        self.rank, self.world = rank, world

    def sample(self, policy, problems, group, seed):
        rollouts = policy.sample(problems[self.rank :: self.world], group, seed)
        first = torch.arange(self.rank, len(problems), self.world) * group
        return rollouts.fill(position=(first[:, None] + torch.arange(group)).flatten())


def trainer(collect, decisions=6, inputs=4, choices=5, method=None, **settings):
    method = replace(method or rloo(), collect=collect)
    policy = settings.pop("policy", None) or Table(inputs, decisions, choices, stop=-1)
    cards = Cards(inputs=inputs, decisions=decisions, choices=choices)
    wanted = {"prompts": 8, "group": 3, "seed": 3, "lr": 0.05, **settings}
    return Trainer(policy, method, cards, wanted.pop("reward", agreement), **wanted)


def test_groups_start_inside_their_demonstration():
    t = trainer(resets(0.6))
    batch = t.collect()
    assert (len(batch), batch.group) == (24, 3)
    assert torch.equal(batch.position, torch.arange(24))
    assert t.notes == {"groups/reset": 5}
    kept = (~batch.mask).sum(1).reshape(8, 3)
    assert torch.equal(kept, kept[:, :1].expand(8, 3))  # one state for the whole group
    assert kept[:5, 0].min() >= 1 and kept[:5, 0].max() <= 5 and len(kept[:5, 0].unique()) > 2
    assert not kept[5:].any()
    for row in range(24):
        answer = torch.tensor(batch.problems[row].answer)
        cut = int(kept.flatten()[row])
        assert torch.equal(batch.trace["actions"][row, :cut], answer[:cut])
    indices = [problem.index for problem in batch.problems[::3]]
    assert len(set(indices)) == 8
    assert t.stream.position == 8
    assert not batch.rewards.isnan().any()
    assert len({tuple(row) for row in batch.trace["actions"][:15].tolist()}) > 8


def test_no_share_is_one_batch_bit_for_bit():
    plain, none = trainer(None, method=ppo(beta=0.1)), trainer(resets(0.0), method=ppo(beta=0.1))
    other = trainer(resets(0.5), method=ppo(beta=0.1))
    for _ in range(3):
        plain.step(), none.step(), other.step()
    assert torch.equal(plain.policy.logits, none.policy.logits)
    assert not torch.equal(plain.policy.logits, other.policy.logits)


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("world", [2, 3])
def test_rows_of_all_processes_tile_the_batch(share, world):
    """And are those of one process, each at its place."""
    whole = trainer(resets(share), prompts=9).collect()
    parts = [trainer(resets(share), prompts=9, runtime=Part(rank, world)).collect() for rank in range(world)]
    joined = Rollouts.concat(parts)
    order = joined.position.argsort()
    assert torch.equal(joined.position[order], torch.arange(27))
    assert all(len(part) for part in parts)
    for name in whole.trace:
        assert torch.equal(joined.trace[name][order], whole.trace[name])
    assert torch.equal(joined.mask[order], whole.mask)
    assert torch.equal(joined.rewards[order], whole.rewards)


def test_too_few_groups_for_the_processes_are_refused():
    for share, text in ((0.1, "1 groups that are reset and 7"), (0.9, "7 groups that are reset and 1")):
        with pytest.raises(UserError, match=f"{text} that are not cannot be shared over 3 processes"):
            trainer(resets(share), runtime=Part(0, 3)).collect()
    with pytest.raises(UserError, match=r"share must lie between 0.*got 1\.5"):
        resets(1.5)


def taught(count, decisions=6, visit=0):
    task = Cards(size=None, decisions=decisions)
    problems = [replace(task.at(index), visit=visit) for index in range(count)]
    return Table(4, decisions, 5, stop=-1).demonstrate(problems, seed=0)


def test_cuts_are_uniform_inside_the_demonstration():
    """Never 0, never the whole; their own for each problem, visit and seed, whatever stands beside them."""
    rows = taught(5000)
    found = cuts(rows, seed=7)
    counts = found.bincount(minlength=7).double()
    assert counts[[0, 6]].sum() == 0
    statistic = ((counts[1:6] - 1000) ** 2 / 1000).sum()
    assert statistic < 4 + 5 * math.sqrt(8)
    assert torch.equal(cuts(rows[[40, 3]], seed=7), found[[40, 3]])
    for other in (cuts(taught(5000, visit=1), seed=7), cuts(rows, seed=8)):
        assert 0.1 < (other == found).double().mean() < 0.3


def test_a_demonstration_has_its_own_length():
    """The cut is inside the decisions it has; one decision alone has no inside."""
    policy = Table(4, 6, 5, stop=0)
    task = Cards(size=None, decisions=6)
    problems = [replace(task.at(i), answer=[1] * (i % 4) + [0] + [1] * (5 - i % 4)) for i in range(400)]
    rows = policy.demonstrate(problems, seed=0)
    found = cuts(rows, seed=1)
    for length in (1, 2, 3, 4):
        here = found[rows.mask.sum(1) == length]
        assert set(here.tolist()) == (set(range(1, length)) or {0})
        assert len(here) == 100
    batch = policy.resume(rows[:8], found[:8], 2, 0)
    assert batch.mask[[0, 1, 8, 9]].all(0)[0]  # of one decision: from the problem's start


@pytest.mark.parametrize(("choices", "decisions"), [(2, 5), (3, 4)])
def test_a_lock_opens_far_more_often_from_inside(choices, decisions):
    """A lock of H = D - 1 unknown digits out of V, uniform guesses: V^-H and (1 - V^-H) / (H (V - 1)).

    D decisions are demonstrated and at least the first is kept, so H is the most that can be left to guess.
    """
    policy = Table(4, decisions, choices, stop=-1)
    with torch.no_grad():
        policy.logits.zero_()

    def opened(problems, outputs):
        return [float(list(output) == problem.answer) for problem, output in zip(problems, outputs, strict=True)]

    t = trainer(resets(1.0), decisions, choices=choices, policy=policy, prompts=2000, group=8, reward=opened)
    t.task.size = None
    batch = t.collect()
    digits = decisions - 1
    exact = (1 - choices**-digits) / (digits * (choices - 1))
    left = batch.mask.sum(1)
    assert_close((choices ** -left.double()).mean(), torch.tensor(exact).double(), atol=0.01, rtol=0)
    assert abs(float(batch.rewards.mean()) - exact) < 5 * math.sqrt(exact * (1 - exact) / 16000) + 0.01
    for rest in range(1, decisions):
        p = choices**-rest
        assert abs(float(batch.rewards[left == rest].mean()) - p) < 5 * math.sqrt(p / 3000)
    assert exact > 3 * choices**-digits


def test_the_method_is_ppo_elsewhere():
    method, same = dr_po(share=0.5, beta=0.2, clip=0.1, lam=0.9, epochs=3), ppo(beta=0.2, clip=0.1, lam=0.9, epochs=3)
    assert (method.epochs, method.reference, method.critic) == (3, True, True)
    assert method.needs == (Teachable, Resumable)
    assert dr_po(share=0.0).needs == ()
    one, other = (trainer(resets(0.5), method=m, watch_kl=True) for m in (method, same))
    for t in (one, other):
        t.step()
    assert torch.equal(one.policy.logits, other.policy.logits)
    assert torch.equal(one.policy.critic, other.policy.critic)
    with pytest.raises(UserError, match="dr_po needs a policy that can go on from the middle of a row"):
        Trainer(Final(4, 6, 5), dr_po(), Cards(decisions=6), agreement)


def test_the_demonstrator_s_decisions_teach_nothing():
    """Neither actor nor critic has a gradient there, and no credit flows over them."""
    method = dr_po(beta=0.1, epochs=1)
    t = Trainer(Table(4, 6, 5, stop=-1), method, Cards(decisions=6), agreement, prompts=4, group=3, seed=3)
    t.advance()
    batch = t.pending
    assert not batch.advantages[~batch.mask].any() and not batch.returns[~batch.mask].any()
    assert batch.advantages[batch.mask].abs().min() > 0
    changed = replace(batch, trace={**batch.trace, "actions": batch.trace["actions"].clone()})
    changed.trace["actions"][~batch.mask] = (changed.trace["actions"][~batch.mask] + 1) % 5
    gradients = []
    for rows in (batch, changed):
        t.policy.zero_grad()
        for update in t.method.updates:
            update.loss(t.policy, rows).sum.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in t.policy.parameters()]))
    assert torch.equal(*gradients)
    assert gradients[0].abs().max() > 1e-2


def test_stop_and_resume_is_the_straight_run():
    straight, again = trainer(resets(0.5)), trainer(resets(0.5))
    straight.step()
    state = copy.deepcopy(straight.state_dict())
    straight.step()
    again.load_state_dict(state)
    again.step()
    assert torch.equal(straight.policy.logits, again.policy.logits)
