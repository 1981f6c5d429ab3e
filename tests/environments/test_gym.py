"""The Gymnasium adapter against instances stepped by hand."""

import copy
import random
import sys
import warnings

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


class Drawing(gymnasium.Env):
    """Starts and moves by noise from wherever it is told to draw."""

    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, source, start):
        self.observation_space = gymnasium.spaces.Box(-99, 99, (1,), np.float64)
        self.own, self.older, self.plain = np.random.default_rng(), np.random.RandomState(), random.Random()
        self.source, self.start = source, start

    def drawn(self, source):
        return {
            "np_random": lambda: self.np_random.random(),
            "alias": lambda: self.alias.random(),
            "own": lambda: self.own.random(),
            "older": lambda: self.older.rand(),
            "plain": lambda: self.plain.random(),
            "space": lambda: float(self.observation_space.sample()[0]) / 99,
            "numpy": lambda: np.random.rand(),
            "random": lambda: random.random(),
            "anew": lambda: np.random.default_rng().random(),
        }[source]()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.alias = self.np_random
        self.at = self.drawn(self.start)
        return np.array([self.at]), {}

    def step(self, action):
        self.at += self.drawn(self.source)
        return np.array([self.at]), np.array([self.at]), False, False, {}


@pytest.fixture
def drawing():
    gymnasium.register("rlft-drawing-v0", Drawing, max_episode_steps=4)
    yield lambda source, start="np_random": Gymnasium("rlft-drawing-v0", options={"source": source, "start": start})
    del gymnasium.registry["rlft-drawing-v0"]


def paths(world, starts, keys):
    played = play(world, starts, keys, lambda seen, rows, d: torch.zeros(len(rows), 1, 1).long())
    return played.observations[..., 0].tolist()


@pytest.mark.parametrize("start", ["np_random", "own"])
@pytest.mark.parametrize("source", ["np_random", "alias", "own", "older", "plain", "space"])
@pytest.mark.filterwarnings("error")
def test_all_generators_of_a_world_have_the_rows_noise(drawing, source, start):
    starts, keys = torch.tensor([3, 3, 3, 8]), torch.tensor([1, 2, 1, 1])
    rows = paths(drawing(source, start), starts, keys)
    assert rows[0] == rows[2] and rows[0][0] == rows[1][0] and rows[0][1] != rows[1][1] and rows[0][0] != rows[3][0]
    again = paths(drawing(source, start), starts.flip(0), keys.flip(0))
    assert again[::-1] == rows


@pytest.mark.parametrize(
    ("source", "start", "words"),
    [
        ("numpy", "np_random", "own generator of numpy"),
        ("random", "np_random", "own generator of random"),
        ("np_random", "numpy", "own generator of numpy"),
        ("np_random", "anew", "starts in different states from one seed"),
    ],
)
def test_noise_that_escapes_is_said_once(drawing, source, start, words):
    world, keys = drawing(source, start), torch.tensor([1])
    with pytest.warns(UserWarning, match=words):
        paths(world, keys, keys)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths(world, keys, keys)


def test_a_reward_of_one_number_is_a_number(drawing):
    world, keys = drawing("np_random"), torch.tensor([1, 2])
    step = world.step(world.reset(keys), torch.zeros(2, 1).long(), 0, keys)
    assert step.reward.tolist() == world.observe(step.state)[:, 0].tolist()
    with pytest.raises(UserError, match=r"rewards of shape \(2,\)"):
        world._paid(np.ones(2))


def test_pixels_say_that_they_are_bytes(drawing):
    assert drawing("np_random").observation_dtype == torch.float64
    pixels, number = gymnasium.spaces.Box(0, 255, (2, 2, 3), np.uint8), gymnasium.spaces.Box(0, 1, (2,))
    world = drawing("np_random")
    for space, dtype in (
        (pixels, torch.uint8),
        (gymnasium.spaces.Dict(a=pixels, b=gymnasium.spaces.Tuple([pixels])), torch.uint8),
        (gymnasium.spaces.Dict(a=pixels, b=number), torch.float64),
    ):
        world._observations = space
        assert world.observation_dtype == dtype and world.native is space


@pytest.mark.parametrize(
    ("id", "options", "words"),
    [
        ("nosuchmodule_x:World-v0", {}, "No module named 'nosuchmodule_x'"),
        ("CartPole-v99", {}, "CartPole-v99"),
        ("CartPole-v1", {"wheels": 4}, "CartPole-v1.*wheels"),
    ],
)
def test_unknown_worlds_and_settings_are_said(id, options, words):
    with pytest.raises(UserError, match=words):
        Gymnasium(id, options=options)
