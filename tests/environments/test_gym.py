"""The Gymnasium adapter against instances stepped by hand."""

import copy
import sys

import numpy as np
import pytest
import torch

from rlft.environments.gym import Gymnasium
from rlft.environments.play import play
from rlft.environments.protocol import Box, Discrete
from rlft.types import UserError

gymnasium = pytest.importorskip("gymnasium")


def by_hand(id, seed, actions):
    """Observations, rewards and ends of one instance, until it ends or the actions do."""
    world = gymnasium.make(id)
    observations, rewards, ends = [world.reset(seed=seed)[0]], [], (False, False)
    for action in actions:
        observation, reward, *ends, _ = world.step(action)
        observations.append(observation)
        rewards.append(float(reward))
        if any(ends):
            break
    return torch.tensor(np.array(observations)).double(), rewards, ends


def test_cartpole_is_cartpole():
    world = Gymnasium("CartPole-v1")
    assert (world.action, world.observation_size, world.horizon) == (Discrete(2), 4, 500)
    keys = torch.tensor([5, 2**31 + 2**30 + 6, 5, 40])
    actions = [(i // 3 + i // 7) % 2 for i in range(500)]
    plan = torch.tensor(actions)[:, None]
    episodes = play(world, keys, keys + 1, lambda seen, rows, d: plan[d].expand(len(rows), 1, 1)).episodes()
    assert len({len(episode) for episode in episodes}) > 1
    for episode, seed in zip(episodes, (5, 2**30 + 6, 5, 40), strict=True):
        observations, rewards, ends = by_hand("CartPole-v1", seed, actions)
        assert torch.equal(episode.observations, observations)
        assert episode.rewards.tolist() == rewards
        assert (episode.terminated, episode.truncated) == tuple(ends) == (True, False)


def test_pendulum_is_pendulum_and_the_clock_truncates():
    world = Gymnasium("Pendulum-v1")
    assert (world.action, world.observation_size, world.horizon) == (Box((-2.0,), (2.0,)), 3, 200)
    torques = [[(i % 9) / 2 - 2.2] for i in range(200)]
    plan = torch.tensor(torques).double()
    keys = torch.tensor([3, 4])
    episodes = play(world, keys, keys, lambda seen, rows, d: plan[None, d : d + 1].expand(len(rows), 1, 1)).episodes()
    for episode, seed in zip(episodes, (3, 4), strict=True):
        # torques go through the space's own float32
        clipped = plan.clamp(-2, 2).float().numpy()
        observations, rewards, _ = by_hand("Pendulum-v1", seed, clipped)
        assert torch.equal(episode.observations, observations)
        assert episode.rewards.tolist() == rewards
        assert (len(episode), episode.terminated, episode.truncated) == (200, False, True)


def test_a_horizon_of_ones_own():
    keys = torch.tensor([1])
    world = Gymnasium("CartPole-v1", horizon=4)
    episode = play(world, keys, keys, lambda seen, rows, d: torch.zeros(1, 1, 1).long()).episodes()[0]
    assert (len(episode), episode.terminated, episode.truncated) == (4, False, True)


def test_same_start_other_noise():
    world = Gymnasium("FrozenLake-v1", options={"is_slippery": True})
    assert (world.action, world.observation_size) == (Discrete(4), 16)
    starts, keys = torch.full((40,), 9), torch.arange(40)
    plan = torch.tensor([1, 2]).repeat(50)[:, None]

    def ends(keys):
        played = play(world, starts, keys, lambda seen, rows, d: plan[d].expand(len(rows), 1, 1))
        return [episode.observations.argmax(dim=1).tolist() for episode in played.episodes()]

    once = ends(keys)
    assert len({tuple(path) for path in once}) > 10
    assert {path[0] for path in once} == {0}
    assert ends(keys.flip(0)) == once[::-1]


def test_a_state_is_good_for_one_step():
    world, keys = Gymnasium("CartPole-v1"), torch.tensor([1, 2])
    state, push = world.reset(keys), torch.ones(2, 1).long()
    after = world.step(state, push, 0, keys)
    with pytest.raises(UserError, match="latest state"):
        world.step(state, push, 0, keys)
    world.step(after.state[1:], push[1:], 1, keys[1:])
    with pytest.raises(UserError, match="latest state"):
        world.step(after.state, push, 1, keys)


class Echo(gymnasium.Env):
    """Shows the action it was given, ends at once in both ways, and cannot be copied."""

    observation_space = gymnasium.spaces.Box(-9, 9, (2, 1))

    def __init__(self, space):
        self.action_space = space

    def __deepcopy__(self, memo):
        raise TypeError("a simulator")

    def reset(self, *, seed=None, options=None):
        return self.observation_space.low * 0, {}

    def step(self, action):
        return self.observation_space.low * 0 + action, 0.0, True, True, {}


@pytest.fixture
def echo():
    gymnasium.register("rlft-echo-v0", Echo, max_episode_steps=3)
    yield lambda space: Gymnasium("rlft-echo-v0", options={"space": space})
    del gymnasium.registry["rlft-echo-v0"]


def test_a_copy_has_instances_of_its_own(echo):
    world, keys = echo(gymnasium.spaces.Discrete(2)), torch.tensor([1])
    state, push = world.reset(keys), torch.ones(1, 1).long()
    other = copy.deepcopy(world)
    with pytest.raises(UserError, match="latest state"):
        other.step(state, push, 0, keys)
    other.step(other.reset(keys), push, 0, keys)
    assert world.step(state, push, 0, keys).terminated


def test_actions_that_start_elsewhere(echo):
    world, keys = echo(gymnasium.spaces.Discrete(3, start=-1)), torch.arange(3)
    out = world.step(world.reset(keys), torch.tensor([[0], [1], [2]]), 0, keys)
    assert world.observe(out.state).tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert out.terminated.all()
    assert not out.truncated.any()


def test_boxes_of_any_shape_are_flattened_and_clipped(echo):
    world, keys = echo(gymnasium.spaces.Box(-1, 2, (2, 1))), torch.arange(2)
    assert world.action == Box((-1.0, -1.0), (2.0, 2.0))
    out = world.step(world.reset(keys), torch.tensor([[0.5, 3.0], [-4.0, 1.0]]).double(), 0, keys)
    assert world.observe(out.state).tolist() == [[0.5, 2], [-1, 1]]


def test_other_spaces_are_refused(echo):
    with pytest.raises(UserError, match="expected Box or Discrete"):
        echo(gymnasium.spaces.MultiDiscrete([2, 2]))
    with pytest.raises(UserError, match="finite bounds"):
        echo(gymnasium.spaces.Box(-np.inf, np.inf, (1,)))


def test_what_cannot_work_says_so(monkeypatch):
    with pytest.raises(UserError, match="NoSuchWorld-v0"):
        Gymnasium("NoSuchWorld-v0")
    gymnasium.register("rlft-endless-v0", "gymnasium.envs.classic_control:CartPoleEnv")
    try:
        with pytest.raises(UserError, match="horizon=STEPS"):
            Gymnasium("rlft-endless-v0")
        assert Gymnasium("rlft-endless-v0", horizon=8).horizon == 8
    finally:
        del gymnasium.registry["rlft-endless-v0"]
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(UserError, match="control"):
        Gymnasium("CartPole-v1")
