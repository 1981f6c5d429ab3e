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

from rlft.environments.protocol import Discrete, Environment, Episode, Space
from rlft.types import UserError


def read(source: str | Path, environment: Environment) -> list[Episode]:
    """The episodes of a data set: a folder, or the name of one that `minari download` has brought here.

    Observations are flattened as `gymnasium.spaces.flatten` does it, and float64; actions are in the environment's own
    units. A last step that is neither terminated nor truncated stays neither. UserError where it is no data set, or
    its numbers are not those of `environment`.
    """
    found = _opened(source)
    episodes = [
        Episode(
            torch.from_numpy(_flat(found.observation_space, one.observations)),
            _actions(found.action_space, one.actions),
            torch.from_numpy(np.asarray(one.rewards, dtype=np.float64)),
            terminated=bool(one.terminations[-1]),
            truncated=bool(one.truncations[-1]),
        )
        for one in found.iterate_episodes()
    ]
    wanted = (environment.observation_size, environment.action.size, environment.action.dtype)
    for episode in episodes:
        has = (episode.observations.shape[1], episode.actions.shape[1], episode.actions.dtype)
        if has != wanted:
            raise UserError(
                f"{source} does not fit {environment.name}: numbers of an observation and of an action, and their "
                f"type, are {has}, expected {wanted}"
            )
    return episodes


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
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise UserError(f"cannot read the Minari data set {source}: {error}") from error


def _flat(space: Any, values: Any) -> np.ndarray:
    """Observations [T + 1, O] of a space, whatever it is made of."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return np.concatenate([_flat(part, values[name]) for name, part in space.spaces.items()], axis=1)
    if isinstance(space, spaces.Box):
        return np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    return np.stack([np.asarray(spaces.flatten(space, value), dtype=np.float64) for value in values])


def _actions(space: Any, values: Any) -> Tensor:
    """Actions [T, A]; those of a Discrete space count from 0, wherever theirs do."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return torch.from_numpy(np.asarray(values, dtype=np.int64)[:, None] - int(space.start))
    return torch.from_numpy(np.asarray(values, dtype=np.float64).reshape(len(values), -1))


def _last(value: bool, steps: int) -> list[bool]:
    return [False] * (steps - 1) + [value]
