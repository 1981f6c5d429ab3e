"""Vines: where rows are cut, which groups come out and where they stand, on a policy small enough to read."""

from dataclasses import replace

import pytest
import torch

from rlft.collect.vines import vines
from rlft.methods.poly_ppo import poly_ppo
from rlft.training.trainer import Trainer
from rlft.types import UserError
from tests.fakes import Cards, Final, Table, agreement


class Vine(Table):
    """A table that can go on from the middle of a row; it remembers what it was asked."""

    def resume(self, rollouts, at, group, seed):
        self.asked = (rollouts, at, group)
        rows = torch.arange(len(rollouts)).repeat_interleave(group)
        old, cut = rollouts.trace["actions"][rows], at.repeat_interleave(group)[:, None]
        generator = torch.Generator().manual_seed(seed + 17)
        new = torch.randint(1, self.logits.shape[-1], old.shape, generator=generator)
        own = torch.arange(old.shape[1]) >= cut
        made = self.rows(rollouts.problems, group, rollouts.trace["which"][rows], torch.where(own, new, old))
        mask = made.mask & own
        return replace(made, mask=mask, logp_old=torch.where(mask, made.logp_old, 0))


def trainer(points=3, policy=None, **settings):
    policy = policy or Vine(decisions=7, stop=-1)
    wanted = {"prompts": 6, "group": 4, "seed": 3, "lr": 0.05, **settings}
    return Trainer(policy, poly_ppo(points=points, window=2), Cards(decisions=7), agreement, **wanted)


def test_groups_and_cuts():
    t = trainer()
    batch = t.collect()
    stems, at, group = t.policy.asked
    assert (len(batch), group) == (24, 4)
    # two problems, seven decisions, cut at 7 // 3 and 14 // 3
    assert at.tolist() == [2, 2, 4, 4]
    assert stems.problems == tuple(batch.problems[i] for i in (0, 4, 0, 4))
    assert torch.equal(batch.position, torch.arange(24))
    for first in range(0, 24, 4):
        assert len({batch.problems[first + i].index for i in range(4)}) == 1
    # a vine has its stem's decisions before the branch, off the mask, and its own after it
    actions, stem = batch.trace["actions"], batch.trace["actions"][[0] * 4 + [4] * 4]
    for first, cut in ((8, 2), (16, 4)):
        part = slice(first, first + 8)
        assert torch.equal(actions[part, :cut], stem[:, :cut])
        assert not batch.mask[part, :cut].any() and batch.mask[part, cut:].all()
        assert not torch.equal(actions[part, cut:], stem[:, cut:])
    assert batch.mask[:8].all()
    assert batch.has("rewards") and not batch.rewards.isnan().any()


def test_a_row_is_cut_by_its_own_length():
    t = trainer(points=2, policy=Vine(decisions=7, stop=0, seed=4), prompts=8)
    batch = t.collect()
    _, at, _ = t.policy.asked
    lengths = batch.mask[:16:4].sum(1)
    assert at.tolist() == [int(length) // 2 for length in lengths]
    assert len(set(lengths.tolist())) > 1


def test_what_it_costs_is_counted():
    metrics = trainer().step()
    assert metrics["rows/drawn"] == 24
    assert metrics["decisions/drawn"] == 8 * 7 + 8 * 5 + 8 * 3


def test_one_point_is_one_batch():
    plain = Final(decisions=7, stop=-1)
    batch = trainer(points=1, policy=plain).collect()
    assert len(batch) == 24
    assert batch.mask.all()
    assert poly_ppo(points=1).needs == ()
    with pytest.raises(UserError, match=r"needs a policy that can go on from the middle of a row.*Final is not one"):
        trainer(points=2, policy=plain)


def test_all_groups_are_in_a_minibatch():
    t = trainer()
    t.method = replace(t.method, minibatches=2)
    t.advance()
    sizes = []
    for _ in range(2):
        sizes.append(len(t.minibatch(t.pending)))
        t.updates_done += 1
    assert sizes == [12, 12]


def test_two_processes_draw_what_one_does():
    """Each has every second problem; their vines stand where those of one process do."""

    class Half:
        """Process `rank` of two, which draws its problems and gathers nothing."""

        def __init__(self, rank):
            from rlft.runtime.local import Local

            self.local, self.rank, self.world, self.lockstep = Local(), rank, 2, False

        def __getattr__(self, name):
            return getattr(self.local, name)

        def sample(self, policy, problems, group, seed):
            rows = policy.sample(problems[self.rank :: 2], group, seed)
            first = torch.arange(self.rank, len(problems), 2)[:, None] * group
            return rows.fill(position=(first + torch.arange(group)).flatten())

    whole = trainer(prompts=12).collect()
    places = []
    for rank in range(2):
        part = trainer(prompts=12, runtime=Half(rank)).collect()
        places += part.position.tolist()
        for row, place in enumerate(part.position.tolist()):
            assert part.problems[row] == whole.problems[place]
            assert torch.equal(part.mask[row], whole.mask[place])
    assert sorted(places) == list(range(48))


def test_bad_numbers():
    with pytest.raises(UserError, match="points must be at least 1"):
        vines(0)
    with pytest.raises(UserError, match="7 groups a step cannot be 3 of each problem"):
        trainer(prompts=7).collect()
