"""Control goes on from the middle of an episode: the very state, the world's own noise, whole episodes."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.experts import demonstrations
from rlft.environments.menu import Menu, compass
from rlft.environments.point_mass import PointMass
from rlft.noise import branch_keys, hashed, normal
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.types import Problem, UserError
from tests.policies.control.test_policy import KINDS, MENU, POINT, lively, problems
from tests.policies.language.test_policy import chi_square


def begun(control, group=2):
    """Rows cut at places of their own, and a row of each length."""
    rows = control.sample(problems(control, 8), group, seed=5)
    length = rows.mask.sum(1)
    return rows, length, length * (torch.arange(len(rows)) % 5) // 4


@pytest.mark.parametrize("kind", KINDS)
def test_an_episode_is_whole_and_its_beginning_the_parent_s(kind):
    """Bit for bit, in a world with gusts, where only the parent's own noise leads to its states."""
    control = copy.deepcopy(KINDS[kind]())
    rows, length, at = begun(control)
    branches = control.resume(rows, at, 3, seed=8)
    h, parted = control.chunk, 0
    for i, episode in enumerate(branches.outputs):
        parent, cut = rows.outputs[i // 3], int(at[i // 3])
        steps = min(cut * h, len(parent))
        assert torch.equal(episode.observations[: steps + 1], parent.observations[: steps + 1])
        assert torch.equal(episode.actions[:steps], parent.actions[:steps])
        assert torch.equal(episode.rewards[:steps], parent.rewards[:steps])
        assert len(episode.observations) == len(episode) + 1
        assert episode.chunk == h
        assert branches.mask[i].sum() == -(-len(episode) // h) - cut
        if cut == length[i // 3]:
            assert (episode.terminated, episode.truncated) == (parent.terminated, parent.truncated)
            assert len(episode) == len(parent)
        else:
            parted += not torch.equal(episode.actions[: steps + 9], parent.actions[: steps + 9])
    assert parted > 20
    assert len({len(episode) for episode in branches.outputs}) > (3 if "one" not in kind else 0)
    assert_close(control.log_prob(branches).detach(), branches.logp_old, atol=1e-6, rtol=0)
    pay = environment_reward(branches.problems, branches.outputs)
    assert [len(p) for p in pay] == [-(-len(e) // h) for e in branches.outputs]


def test_noise_after_the_cut_is_the_branch_s_own():
    """Of the action, and of the world: the gust that each recorded step shows."""
    control = copy.deepcopy(lively(POINT)).double()
    rows, _, at = begun(control)
    branches = control.resume(rows, at, 3, seed=8)
    keys = branch_keys(rows.problems, at, 3, 8)
    mean = control.actor(branches.trace["observations"])[:, :, None]
    z = (branches.trace["actions"] - mean) / control.head.log_std.exp()
    expected = normal(keys, branches.mask.shape[1], (1, 2))
    assert_close(z[branches.mask], expected[branches.mask], atol=1e-9, rtol=0)
    place = torch.arange(branches.mask.shape[1])
    own = place >= at.repeat_interleave(3)[:, None]
    assert torch.equal(branches.trace["world"], torch.where(own, keys[:, None], branches.trace["world"]))
    gusts = branches.trace["world"]
    seen = 0
    for i, episode in enumerate(branches.outputs):
        for t in range(len(episode)):
            after = POINT.step(episode.observations[None, t], episode.actions[None, t], t, gusts[i : i + 1, t])
            assert torch.equal(after.state[0], episode.observations[t + 1])
            seen += t >= at[i // 3]
    assert seen > 100


def test_a_categorical_branch_has_the_policy_s_distribution():
    control = copy.deepcopy(lively(MENU)).double()
    rows = control.sample(problems(control, 1), 1, seed=3)
    at = rows.mask.sum(1) // 2
    branches = control.resume(rows, at, 3000, seed=1)
    cut = int(at)
    p = control.actor(rows.trace["observations"][0, cut]).softmax(-1).detach()
    assert p.max() < 0.9
    counts = branches.trace["actions"][:, cut, 0, 0].bincount(minlength=9).double()
    statistic, limit = chi_square(counts, p * 3000)
    assert statistic < limit
    # and from 0 that of a new row
    new = control.resume(rows, 0 * at, 3000, seed=1)
    counts = new.trace["actions"][:, 0, 0, 0].bincount(minlength=9).double()
    start = control.actor(rows.trace["observations"][0, 0]).softmax(-1).detach()
    statistic, limit = chi_square(counts, start * 3000)
    assert statistic < limit
    assert (start - p).abs().max() > 0.1


@pytest.mark.parametrize(
    ("environment", "chunk"), [(PointMass(), 1), (PointMass(), 3), (Menu(PointMass(), compass(9)), 1)]
)
def test_a_demonstration_is_gone_on_from(environment, chunk):
    """Its actions are played from the problem's start; what its rewards were nobody needs to have written down."""
    control = Control(environment, seed=3, chunk=chunk)
    shown = demonstrations(environment, 4, seed=0, clumsy=0.2)
    starts = [hashed("demonstration", environment.name, 0, i) for i in range(4)]
    written = [{"observations": e.observations.float(), "actions": e.actions} for e in shown]
    taught = control.demonstrate(
        [Problem(i, s, answer=e) for i, (s, e) in enumerate(zip(starts, written, strict=True))], seed=0
    )
    length = taught.mask.sum(1)
    at = torch.tensor([1, int(length[1]) // 2, int(length[2]) - 1, int(length[3])])
    branches = control.resume(taught, at, 2, seed=1)
    assert set(branches.trace) == set(control.sample(problems(control, 1), 1, 0).trace) == set(taught.trace)
    for i, episode in enumerate(branches.outputs):
        steps = min(int(at[i // 2]) * chunk, len(shown[i // 2]))
        assert torch.equal(episode.actions[:steps], shown[i // 2].actions[:steps])
        assert torch.equal(episode.rewards[:steps], shown[i // 2].rewards[:steps])
        assert_close(episode.observations[: steps + 1], shown[i // 2].observations[: steps + 1], atol=0, rtol=0)
    assert_close(control.log_prob(branches).detach(), branches.logp_old, atol=1e-6, rtol=0)
    assert not branches.mask[6:].any()
    assert branches.mask[:6].any(1).all()


def test_a_demonstration_that_leads_elsewhere_is_refused():
    for environment, start in ((PointMass(), 5), (PointMass(gust=0.3), None)):
        control = Control(environment, seed=3)
        shown = demonstrations(environment, 2, seed=0)
        known = [hashed("demonstration", environment.name, 0, i) for i in range(2)]
        asked = [Problem(i, start or known[i], answer=episode) for i, episode in enumerate(shown)]
        taught = control.demonstrate(asked, seed=0)
        with pytest.raises(UserError, match=r"row 0 cannot be resumed.*start of problem 0.*another start, or from a"):
            control.resume(taught, taught.mask.sum(1) // 2, 1, seed=0)


def test_a_demonstration_that_stops_inside_a_chunk_has_no_next_decision():
    control = Control(PointMass(), seed=3, chunk=4)
    start = hashed("demonstration", "point-mass", 0, 0)
    whole = demonstrations(PointMass(), 1, seed=0)[0]
    short = replace(whole, observations=whole.observations[:7], actions=whole.actions[:6], rewards=whole.rewards[:6])
    taught = control.demonstrate([Problem(0, start, answer=short)], seed=0)
    with pytest.raises(UserError, match="cannot be resumed"):
        control.resume(taught, torch.tensor([2]), 1, seed=0)
    longer = control.resume(taught, torch.tensor([1]), 1, seed=0).outputs[0]
    assert len(longer) > 6


def test_gymnasium_worlds_are_played_again():
    """A world whose state is hidden, and with noise of its own that changes hands at the cut."""
    pytest.importorskip("gymnasium")
    from rlft.environments.gym import Gymnasium

    world = Gymnasium("FrozenLake-v1", options={"is_slippery": True})
    control = Control(world, seed=1)
    rows = control.sample([Problem(i, i) for i in range(3)], 1, seed=2)
    assert rows.mask.sum(1).min() > 3
    at = torch.full((3,), 3)
    branches = control.resume(rows, at, 20, seed=4)
    for i, episode in enumerate(branches.outputs):
        assert torch.equal(episode.observations[:4], rows.outputs[i // 20].observations[:4])
    again = control.resume(rows, at, 20, seed=4)
    assert all(
        torch.equal(a.observations, b.observations) for a, b in zip(branches.outputs, again.outputs, strict=True)
    )
    # the same action from the same state leads to several places
    there = {
        (int(e.observations[3].argmax()), int(e.actions[3]), int(e.observations[4].argmax()))
        for e in branches.outputs[:20]
    }
    assert len({(state, action) for state, action, _ in there}) < len(there)
