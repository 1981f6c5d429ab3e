"""Minari data sets: ours come back as they were, others' as Gymnasium flattens them, and what does not fit is said."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rlft.environments import minari
from rlft.environments.menu import Menu
from rlft.environments.play import play
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Episode
from rlft.types import UserError

WORLD = PointMass(horizon=9)
CHOICES = Menu(WORLD, ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.5)))


def needed():
    return pytest.importorskip("minari", reason="Minari data sets need minari: pip install 'rlft[minari]'")


def same(one, other):
    tensors = all(
        torch.equal(getattr(one, name), getattr(other, name)) and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("observations", "actions", "rewards")
    )
    return tensors and (one.terminated, one.truncated) == (other.terminated, other.truncated)


def episodes(world):
    """Of several lengths and all three ends."""
    generator = torch.Generator().manual_seed(1)
    keys = torch.arange(3)

    def act(seen, rows, decision):
        if world is CHOICES:
            return torch.randint(3, (len(seen), 1, 1), generator=generator)
        return 2 * torch.rand(len(seen), 1, 2, generator=generator, dtype=torch.float64) - 1

    played = play(world, keys, keys, act).episodes()
    first = played[0]
    short = Episode(first.observations[:5], first.actions[:4], first.rewards[:4], terminated=True, truncated=False)
    open_end = Episode(first.observations[:2], first.actions[:1], first.rewards[:1], terminated=False, truncated=False)
    return [*played, short, open_end]


@pytest.mark.parametrize("world", [WORLD, CHOICES], ids=["box", "discrete"])
def test_there_and_back(world, tmp_path, monkeypatch):
    library, given = needed(), episodes(world)
    monkeypatch.chdir(tmp_path)
    minari.write(given, Path("set"), world.action, "rlft/test-v3")
    found = minari.read("set", world)
    assert {len(episode) for episode in given} == {9, 4, 1}
    assert len(found) == len(given) and all(map(same, found, given))
    assert {(e.terminated, e.truncated) for e in found} == {(True, False), (False, True), (False, False)}
    theirs = library.MinariDataset(tmp_path / "set")
    assert (theirs.id, theirs.total_episodes, theirs.total_steps) == ("rlft/test-v3", 5, 3 * 9 + 4 + 1)
    with pytest.raises(UserError, match="will not be overwritten"):
        minari.write(given, tmp_path / "set", world.action)
    with pytest.raises(UserError, match="at least one episode"):
        minari.write([], tmp_path / "none", world.action)


def test_others_are_flattened_as_gymnasium_does(tmp_path):
    """A dictionary of a matrix and one of two numbers; actions that begin at 5; the folder above the data."""
    needed()
    from gymnasium import spaces
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    generator = np.random.default_rng(0)
    seen = spaces.Dict({"b": spaces.Box(-9, 9, (2, 1), np.float32), "a": spaces.Discrete(2, start=1)})
    rows = [{"b": generator.normal(size=(2, 1)).astype(np.float32), "a": int(a)} for a in (1, 2, 2)]
    (tmp_path / "data").mkdir()
    storage = MinariStorage.new(tmp_path / "data", seen, spaces.Discrete(3, start=5), data_format="hdf5")
    storage.update_metadata({"dataset_id": "other/x-v0", "minari_version": "0.5.0"})
    columns = {name: [row[name] for row in rows] for name in ("b", "a")}
    ends = {"rewards": [0.5, 2.0], "terminations": [False, True], "truncations": [False, False]}
    storage.update_episodes([EpisodeBuffer(observations=columns, actions=[7, 5], **ends)])

    (found,) = minari.read(tmp_path, CHOICES)
    expected = np.stack([spaces.flatten(seen, row) for row in rows])
    assert np.array_equal(found.observations.numpy(), expected) and expected.shape == (3, 4)
    assert found.actions.tolist() == [[2], [0]] and found.rewards.tolist() == [0.5, 2.0] and found.terminated


def test_what_does_not_fit_is_said(tmp_path):
    needed()
    minari.write(episodes(WORLD), tmp_path / "set", WORLD.action)
    with pytest.raises(UserError, match=r"actions are Box\(-1.0, 1.0, \(2,\), float64\), expected Discrete\(n=3\)"):
        minari.read(tmp_path / "set", CHOICES)
    with pytest.raises(UserError, match="cannot read the Minari data set nowhere"):
        minari.read("nowhere/x-v0", WORLD)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="cannot read the Minari data set"):
        minari.read(tmp_path / "empty", WORLD)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(UserError, match=r"pip install 'rlft\[minari\]'"):
        minari.read("x-v0", WORLD)


STEPS = 5


def stored(folder, seen, observations, actions=None, space=None, **columns):
    """A data set of one episode as others write it, five steps long unless its columns say otherwise."""
    from gymnasium import spaces
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    folder.mkdir()
    space = space or spaces.Box(-1, 1, (2,), np.float64)
    storage = MinariStorage.new(folder, seen, space, data_format="hdf5")
    storage.update_metadata({"dataset_id": "other/x-v0", "minari_version": "0.5.0"})
    plain = {
        "actions": np.zeros((STEPS, 2)) if actions is None else actions,
        "rewards": [1.0, 2.0, 3.0, 4.0, 5.0],
        "terminations": [False] * STEPS,
        "truncations": [False] * (STEPS - 1) + [True],
    }
    storage.update_episodes([EpisodeBuffer(observations=observations, **{**plain, **columns})])
    return folder


def boxes(space):
    """A world of Gymnasium's with these observations, as far as `read` asks."""

    class World(PointMass):
        native = space

    world = World()
    object.__setattr__(world, "observation_size", 2)
    return world


def test_the_parts_of_a_dictionary_stand_as_the_world_has_them(tmp_path):
    """Minari sorts the keys of what it loads; Gymnasium's own spaces need not be sorted."""
    needed()
    import gymnasium
    from gymnasium import spaces

    from rlft.environments.gym import Gymnasium

    one = spaces.Box(-999, 999, (1,), np.float64)
    space = spaces.Dict(position=one, goal=one, inner=spaces.Dict(z=one, a=one))
    names = ("position", "goal")
    nested = {"z": np.array([7.0]), "a": np.array([8.0])}

    class World(gymnasium.Env):
        observation_space, action_space = space, spaces.Box(-1, 1, (2,), np.float64)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return {"position": np.array([1.0]), "goal": np.array([500.0]), "inner": nested}, {}

    gymnasium.register("rlft-keys-v0", World, max_episode_steps=3)
    try:
        world = Gymnasium("rlft-keys-v0")
    finally:
        del gymnasium.registry["rlft-keys-v0"]
    rows = {name: np.full((STEPS + 1, 1), value) for name, value in zip(names, (1.0, 500.0), strict=True)}
    rows["inner"] = {name: np.repeat(value[None], STEPS + 1, 0) for name, value in nested.items()}
    folder = stored(tmp_path / "set", space, rows)
    (found,) = minari.read(folder, world)
    expected = world.observe(world.reset(torch.tensor([0])))[0]
    assert expected.tolist()[:2] == [1, 500]
    assert torch.equal(found.observations, expected.expand(STEPS + 1, 4))


def test_observations_in_tuples(tmp_path):
    needed()
    from gymnasium import spaces

    one = spaces.Box(-99, 99, (1,), np.float64)
    columns = tuple(np.arange(STEPS + 1.0)[:, None] + 50 * i for i in (0, 1))
    space = spaces.Tuple([one, one])
    (found,) = minari.read(stored(tmp_path / "set", space, columns), boxes(space))
    assert found.observations.tolist() == [[step, 50 + step] for step in range(STEPS + 1)]
    both = spaces.Dict(pair=space)
    (found,) = minari.read(stored(tmp_path / "other", both, {"pair": columns}), boxes(both))
    assert found.observations.tolist() == [[step, 50 + step] for step in range(STEPS + 1)]


def test_an_end_in_the_middle_ends_the_episode_there(tmp_path):
    needed()
    from gymnasium import spaces

    space, seen = spaces.Box(-99, 99, (2,), np.float64), np.arange(12.0).reshape(6, 2)
    ends = {"terminations": [False, False, True, False, False], "truncations": [True, False, False, False, True]}
    found = minari.read(stored(tmp_path / "set", space, seen, **ends), boxes(space))
    assert [(len(e), e.terminated, e.truncated) for e in found] == [
        (1, False, True),
        (2, True, False),
        (2, False, True),
    ]
    assert [e.rewards.tolist() for e in found] == [[1], [2, 3], [4, 5]]
    assert [e.observations[:, 0].tolist() for e in found] == [[0, 2], [2, 4, 6], [6, 8, 10]]


def test_rewards_and_actions_are_read_as_they_were_meant(tmp_path):
    """Rewards of one number each; actions outside the box were executed at its bounds; no bounds say nothing."""
    needed()
    from gymnasium import spaces

    space, seen = spaces.Box(-99, 99, (2,), np.float64), np.zeros((6, 2))
    actions = np.array([[3.0, -2.5], [0.5, 0.25], [1.0, -1.0], [0.0, 9.0], [0.0, 0.0]])
    wide = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    folder = stored(tmp_path / "set", space, seen, actions, wide, rewards=np.arange(5.0)[:, None])
    (found,) = minari.read(folder, boxes(space))
    assert found.rewards.tolist() == [0, 1, 2, 3, 4]
    assert found.actions.tolist() == [[1, -1], [0.5, 0.25], [1, -1], [0, 1], [0, 0]]


def test_what_does_not_hold_together_is_said(tmp_path):
    needed()
    from gymnasium import spaces

    one = spaces.Box(-99, 99, (2,), np.float64)
    seen, world = np.zeros((6, 2)), boxes(one)
    for number, (words, given) in enumerate(
        {
            "episode 0 of .* has 5 observations for 5 actions: expected 6": {"observations": seen[:5]},
            r"rewards of shape \(5, 2\)": {"observations": seen, "rewards": np.zeros((5, 2))},
            "Box.* expected Box": {"observations": seen, "space": spaces.Box(-2, 2, (2,), np.float64)},
        }.items()
    ):
        with pytest.raises(UserError, match=words):
            minari.read(stored(tmp_path / str(number), one, **given), world)
    keys = spaces.Dict(a=one)
    for number, (space, values, words) in enumerate(
        [
            (keys, {"a": seen}, "the data and Box"),
            (spaces.Box(-9, 9, (3,), np.float64), np.zeros((6, 3)), r"shape \(3,\) in the data and \(2,\)"),
        ]
    ):
        with pytest.raises(UserError, match=words):
            minari.read(stored(tmp_path / f"s{number}", space, values), world)
    with pytest.raises(UserError, match=r"\['a'\] in the data and \['b'\] in the world"):
        minari.read(tmp_path / "s0", boxes(spaces.Dict(b=one)))
    pair = spaces.Tuple([spaces.Box(-9, 9, (1,)), one])
    folder = stored(tmp_path / "t", pair, (seen[:, :1], seen))
    with pytest.raises(UserError, match="of part 0 in the data"):
        minari.read(folder, boxes(spaces.Tuple([one, one])))
    counted = spaces.Discrete(3, start=5)
    folder = stored(tmp_path / "d", one, seen, actions=[0, 1, 2, 0, 1], space=counted)
    with pytest.raises(UserError, match=r"actions outside Discrete\(3, start=5\)"):
        minari.read(folder, Menu(world, CHOICES.choices))
    with pytest.raises(UserError, match=r"actions are Discrete\(3, start=5\), expected Discrete\(n=2\)"):
        minari.read(folder, Menu(world, CHOICES.choices[:2]))
