"""Minari data sets in and out: the episodes that others played, and ours for others. Downloads nothing.

The layout on the disk is Minari's own business: all of it goes through the library of that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlft.environments.menu import innermost
from rlft.environments.protocol import Discrete, Environment, Episode, Native, Space
from rlft.types import UserError


def read(source: str | Path, environment: Environment) -> list[Episode]:
    """The episodes of a data set: a folder, or the name of one that `minari download` has brought here.

    Observations are flattened as `gymnasium.spaces.flatten` does it, and float64; the parts of a dictionary stand in
    the order in which the environment has them, whatever their order in the data. Actions are in the environment's own
    units, and what lies outside its box is what was executed: its bounds. A last step that is neither terminated nor
    truncated stays neither.

    An end in the middle of an episode, terminated or truncated, ends it there: what follows is an episode of its own,
    so that no step is lost and nothing is bootstrapped across an end.

    UserError where it is no data set, its spaces are not those of `environment`, or an episode does not hold together.
    """
    found = _opened(source)
    inner = innermost(environment)
    seen = inner.native if isinstance(inner, Native) else found.observation_space
    if (different := _difference(found.observation_space, seen)) is not None:
        raise UserError(f"{source} does not fit {environment.name}: observations are {different}")
    _check_actions(source, found.action_space, environment)
    episodes = []
    try:
        for one in found.iterate_episodes():
            episodes += _read_one(f"episode {one.id} of {source}", one, seen, found.action_space, environment)
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        raise UserError(f"cannot read the Minari data set {source}: {type(error).__name__}: {error}") from error
    return episodes


def _read_one(name: str, one: Any, seen: Any, space: Any, environment: Environment) -> list[Episode]:
    """An episode of the data set, cut behind every end."""
    observations = torch.from_numpy(_flat(seen, one.observations))
    actions, rewards = _actions(space, one.actions), torch.from_numpy(np.asarray(one.rewards, dtype=np.float64))
    steps = len(actions)
    if rewards.numel() != steps or steps == 0:
        raise UserError(f"{name} has {steps} actions and rewards of shape {tuple(rewards.shape)}: expected one each")
    if len(observations) != steps + 1:
        raise UserError(
            f"{name} has {len(observations)} observations for {steps} actions: expected {steps + 1}, the last one what "
            "the last action led to"
        )
    has = (observations.shape[1], actions.shape[1], actions.dtype)
    wanted = (environment.observation_size, environment.action.size, environment.action.dtype)
    if has != wanted:
        raise UserError(
            f"{name} does not fit {environment.name}: numbers of an observation and of an action, and their "
            f"type, are {has}, expected {wanted}"
        )
    if isinstance(environment.action, Discrete):
        if not environment.action.holds(actions):
            raise UserError(f"{name} has actions outside {space}: their least is {actions.min()} from its start")
    else:
        actions = environment.action.clip(actions)
    ends = [np.asarray(flags, dtype=bool).reshape(-1) for flags in (one.terminations, one.truncations)]
    places = [*np.flatnonzero((ends[0] | ends[1])[: steps - 1]), steps - 1]
    return [
        Episode(
            observations[first : last + 2],
            actions[first : last + 1],
            rewards.reshape(-1)[first : last + 1],
            terminated=bool(ends[0][last]),
            truncated=bool(ends[1][last] and not ends[0][last]),
        )
        for first, last in zip([0, *(place + 1 for place in places)], places, strict=False)
    ]


def write(episodes: Sequence[Episode], folder: Path, action: Space, name: str = "rlft/episodes-v0") -> None:
    """The episodes as a new data set in HDF5, for `read` or `minari.MinariDataset(folder)`.

    A chunk of actions is stored as its single actions, and read back as those.

    action   the space that their actions are of
    name     of the data set: `namespace/name-vN`
    """
    minari = _library()
    from gymnasium import spaces
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    if not episodes:
        raise UserError("a data set has at least one episode; got none to write")
    if folder.exists():
        raise UserError(f"{folder} exists already and will not be overwritten; choose another folder")
    seen = spaces.Box(-np.inf, np.inf, tuple(episodes[0].observations.shape[1:]), np.float64)
    if isinstance(action, Discrete):
        acts: Any = spaces.Discrete(action.n)
    else:
        acts = spaces.Box(np.array(action.low), np.array(action.high), dtype=np.float64)
    folder.mkdir(parents=True)
    # resolved: Minari looks for a relative path inside itself
    storage = MinariStorage.new(folder.resolve(), seen, acts, data_format="hdf5")
    storage.update_metadata({"dataset_id": name, "minari_version": minari.__version__})
    storage.update_episodes(
        EpisodeBuffer(
            observations=list(one.observations.double().cpu().numpy()),
            actions=list(
                one.actions[:, 0].cpu().numpy() if isinstance(action, Discrete) else one.actions.cpu().numpy()
            ),
            rewards=one.rewards.double().tolist(),
            terminations=_last(one.terminated, len(one)),
            truncations=_last(one.truncated, len(one)),
        )
        for one in episodes
    )


def _library() -> Any:
    try:
        import minari
    except ImportError as error:
        raise UserError("Minari data sets need minari: pip install 'rlft[minari]'") from error
    return minari


def _opened(source: str | Path) -> Any:
    minari, path = _library(), Path(source).resolve()
    try:
        if path.is_dir():
            return minari.MinariDataset(path / "data" if (path / "data").is_dir() else path)
        return minari.load_dataset(str(source))
    except (ValueError, KeyError, TypeError, AttributeError, OSError, ImportError) as error:
        raise UserError(f"cannot read the Minari data set {source}: {error}") from error


def _flat(space: Any, values: Any) -> np.ndarray:
    """Observations [T + 1, O] of a space, whatever it is made of."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return np.concatenate([_flat(part, values[name]) for name, part in space.spaces.items()], axis=1)
    if isinstance(space, spaces.Tuple):
        return np.concatenate([_flat(part, value) for part, value in zip(space.spaces, values, strict=True)], axis=1)
    if isinstance(space, spaces.Box):
        return np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    return np.stack([np.asarray(spaces.flatten(space, value), dtype=np.float64) for value in values])


def _difference(data: Any, world: Any, where: str = "") -> str | None:
    """What is different between two spaces of observations, in words; keys may stand in any order.

    Bounds and types of numbers are not compared: data are often stored with wider ones.
    """
    from gymnasium import spaces

    if type(data) is not type(world):
        return f"{data}{where} in the data and {world} in the world"
    if isinstance(data, spaces.Dict):
        if set(data.spaces) != set(world.spaces):
            return f"{sorted(data.spaces)}{where} in the data and {sorted(world.spaces)} in the world"
        parts = [(data.spaces[name], world.spaces[name], f"{where} of {name!r}") for name in data.spaces]
    elif isinstance(data, spaces.Tuple):
        if len(data.spaces) != len(world.spaces):
            return f"{len(data.spaces)} parts{where} in the data and {len(world.spaces)} in the world"
        pairs = zip(data.spaces, world.spaces, strict=True)
        parts = [(*pair, f"{where} of part {i}") for i, pair in enumerate(pairs)]
    elif isinstance(data, spaces.Box):
        same = data.shape == world.shape
        return None if same else f"of shape {data.shape}{where} in the data and {world.shape} in the world"
    else:
        return None if data == world else f"{data}{where} in the data and {world} in the world"
    return next((found for part in parts if (found := _difference(*part)) is not None), None)


def _check_actions(source: str | Path, data: Any, environment: Environment) -> None:
    """Whether the data's space of actions is the environment's. Bounds that are infinite say nothing."""
    from gymnasium import spaces

    ours = environment.action
    if isinstance(data, spaces.Discrete) and isinstance(ours, Discrete):
        fits = int(data.n) == ours.n
    elif isinstance(data, spaces.Box) and not isinstance(ours, Discrete):
        theirs = [np.asarray(bound, dtype=np.float64).ravel() for bound in (data.low, data.high)]
        fits = len(theirs[0]) == ours.size and all(
            np.allclose(np.where(np.isfinite(bound), bound, own), own, rtol=1e-5, atol=1e-6)
            for bound, own in zip(theirs, (np.array(ours.low), np.array(ours.high)), strict=True)
        )
    else:
        fits = False
    if not fits:
        raise UserError(f"{source} does not fit {environment.name}: its actions are {data}, expected {ours}")


def _actions(space: Any, values: Any) -> Tensor:
    """Actions [T, A]; those of a Discrete space count from 0, wherever theirs do."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return torch.from_numpy(np.asarray(values, dtype=np.int64)[:, None] - int(space.start))
    return torch.from_numpy(np.asarray(values, dtype=np.float64).reshape(len(values), -1))


def _last(value: bool, steps: int) -> list[bool]:
    return [False] * (steps - 1) + [value]
