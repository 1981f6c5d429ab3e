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
    with pytest.raises(UserError, match=r"are \(4, 2, torch.float64\), expected \(4, 1, torch.int64\)"):
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
