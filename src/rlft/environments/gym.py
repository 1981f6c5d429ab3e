"""Any Gymnasium environment behind our protocol: N separate instances, stepped in a loop. Not a vector environment.

Gymnasium's own vector environments reset by themselves, in ways that differ between versions and put transitions into
the data that nobody played. Here an instance is reset when asked and never otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from rlft.environments._gym_noise import reseed, reseed_others, unseeded, watched
from rlft.environments.protocol import Box, Discrete, Space, Step
from rlft.types import UserError


class Gymnasium:
    """`Gymnasium("CartPole-v1")`: the environment with this id, batched.

    The start comes from `reset(seed=key mod 2³¹)`; at the first step the instance's generators are seeded again from
    the row's key, so that rows with the same start meet different noise, and again where a row's key changes on the
    way. These are `np_random` and all that the world, its wrappers and its spaces keep; a world that draws from
    elsewhere is warned of when that is first seen.
    Observations are flattened to one vector (`gymnasium.spaces.flatten`) in float64. Actions: a Box with finite bounds,
    or Discrete.

    A Gymnasium world hides its state, so ours is a ticket for it: [slot, ticket, observation …]. A ticket is good for
    one step; a branch from the middle of an episode plays it again from its start.

    horizon   steps before truncation; None takes the registered limit
    options   more arguments of `gymnasium.make`
    """

    def __init__(self, id: str, horizon: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.id, self.options = id, dict(options or {})
        if horizon is not None:
            self.options["max_episode_steps"] = horizon
        self._pool: list[Any] = []
        self._tickets: list[int] = []
        self._seeded: list[int | None] = []
        self._issued = 0
        self._unwatched = {"reset", "step"}
        first = self._instance(0)
        self.horizon: int = self._limit(first)
        self._observations, self._actions = first.observation_space, first.action_space
        self.observation_size: int = self._flat_size()
        self.action: Space = self._space(self._actions)

    @property
    def name(self) -> str:
        return self.id

    @property
    def native(self) -> Any:
        """The space of observations as Gymnasium has it."""
        return self._observations

    @property
    def observation_dtype(self) -> torch.dtype:
        """uint8 of pixels, else float64."""
        return torch.uint8 if all(leaf.dtype == np.uint8 for leaf in _leaves(self._observations)) else torch.float64

    def __repr__(self) -> str:
        return f"Gymnasium({self.id!r}, options={self.options!r})"

    def __getstate__(self) -> dict[str, Any]:
        """A copy starts with instances of its own: a simulator can be neither copied nor sent."""
        return {**self.__dict__, "_pool": [], "_tickets": [], "_seeded": []}

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N S"]:
        rows = []
        for slot, key in enumerate(keys.tolist()):
            rows.append(self._row(slot, self._started(slot, key % 2**31)))
            self._seeded[slot] = None
        return torch.from_numpy(np.stack(rows)).to(keys.device)

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]:
        return state[:, 2:]

    def step(self, state: Float[Tensor, "N S"], action: Num[Tensor, "N A"], t: int, keys: Int[Tensor, "N"]) -> Step:
        rows, ends = [], []
        for (slot, ticket), act, key in zip(state[:, :2].tolist(), self._native(action), keys.tolist(), strict=True):
            world = self._claim(int(slot), int(ticket))
            if key != self._seeded[int(slot)]:
                reseed(world, key)
                self._seeded[int(slot)] = key
            observation, reward, terminated, truncated, _ = self._watched("step", partial(world.step, act))
            rows.append(self._row(int(slot), observation))
            ends.append((self._paid(reward), float(terminated), float(truncated and not terminated)))
        reward, terminated, truncated = torch.tensor(ends, dtype=torch.float64, device=state.device).unbind(dim=1)
        return Step(torch.from_numpy(np.stack(rows)).to(state), reward, terminated.bool(), truncated.bool())

    def _started(self, slot: int, seed: int) -> Any:
        """The first observation of the instance in this slot, from this seed; twice the first time, to compare."""
        world, first = self._instance(slot), "reset" in self._unwatched
        starts = []
        for _ in range(2 if first else 1):
            reseed_others(world, seed)
            starts.append(self._watched("reset", partial(world.reset, seed=seed))[0])
        flat = [self._row(slot, start)[2:] for start in starts]
        if first and not np.array_equal(*flat, equal_nan=True):
            unseeded(self.id)
        return starts[-1]

    def _watched(self, what: str, act: Callable[[], Any]) -> Any:
        """What `act` returns; the first time it is seen whether it draws from what is not the row's."""
        if what not in self._unwatched:
            return act()
        self._unwatched.discard(what)
        return watched(self.id, act)

    def _paid(self, reward: Any) -> float:
        """A reward as a number; one in an array of a single number too."""
        if np.size(reward) != 1:
            raise UserError(f"{self.id} pays rewards of shape {np.shape(reward)}; expected one number for each step")
        return float(np.asarray(reward).item())

    def _instance(self, slot: int) -> Any:
        while len(self._pool) <= slot:
            self._pool.append(_make(self.id, self.options))
            self._tickets.append(0)
            self._seeded.append(None)
        return self._pool[slot]

    def _row(self, slot: int, observation: Any) -> np.ndarray:
        """A row of state, with a new ticket for the instance in this slot."""
        from gymnasium.spaces import flatten

        self._issued += 1
        self._tickets[slot] = self._issued
        flat = np.asarray(flatten(self._observations, observation), dtype=np.float64)
        return np.concatenate([[slot, self._issued], flat])

    def _claim(self, slot: int, ticket: int) -> Any:
        if slot >= len(self._tickets) or self._tickets[slot] != ticket:
            raise UserError(
                f"this state of {self.id} is gone: a Gymnasium world goes on from its latest state only. "
                "Use an environment of rlft.environments to branch, or one Gymnasium object per batch of rows."
            )
        return self._pool[slot]

    def _native(self, action: Tensor) -> list[Any]:
        """Actions as the instances want them; a Box clips, which Gymnasium's own worlds do not all do."""
        native = self._actions
        if isinstance(self.action, Discrete):
            return [int(a) + int(native.start) for a in action[:, 0].tolist()]
        return list(self.action.clip(action).cpu().numpy().reshape(-1, *native.shape).astype(native.dtype))

    def _limit(self, world: Any) -> int:
        limit = world.spec.max_episode_steps
        if limit is None:
            raise UserError(f"{self.id} has no time limit of its own: give horizon=STEPS")
        return int(limit)

    def _flat_size(self) -> int:
        from gymnasium.spaces import flatdim

        try:
            return int(flatdim(self._observations))
        except (NotImplementedError, ValueError) as error:
            raise UserError(f"observations of {self.id} have no fixed size: {self._observations}") from error

    def _space(self, space: Any) -> Space:
        from gymnasium import spaces

        if isinstance(space, spaces.Discrete):
            return Discrete(int(space.n))
        if isinstance(space, spaces.Box):
            return Box(tuple(space.low.ravel().tolist()), tuple(space.high.ravel().tolist()))
        raise UserError(f"actions of {self.id} are {space}; expected Box or Discrete")


def _leaves(space: Any) -> list[Any]:
    """The spaces without parts that a space is made of."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return [leaf for part in space.spaces.values() for leaf in _leaves(part)]
    if isinstance(space, spaces.Tuple):
        return [leaf for part in space.spaces for leaf in _leaves(part)]
    return [space]


def _make(id: str, options: Mapping[str, Any]) -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise UserError("Gymnasium environments need gymnasium: pip install 'rlft[control]'") from error
    try:
        return gymnasium.make(id, disable_env_checker=True, **options)
    except gymnasium.error.Error as error:
        raise UserError(f"gymnasium cannot make {id!r}: {error}") from error
    except ImportError as error:
        raise UserError(f"gymnasium cannot make {id!r}: {error}; install the package that has this world") from error
    except Exception as error:  # a foreign constructor, and what it is given is the user's
        told = f"{type(error).__name__}: {error}"
        raise UserError(f"gymnasium cannot make {id!r} with {dict(options)}: {told}") from error
