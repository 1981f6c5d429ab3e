"""What an environment is: spaces, one step, one finished episode. No environment is defined here.

A state is one tensor with a row per world, and `step` is a function of it. So reading and setting a state is
indexing, a branch from the middle of an episode is `state.repeat_interleave(k, dim=0)`, and no world is ever reset
behind the caller's back. Letters: N rows, S numbers of a state, O of an observation, A of an action, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from rlft.types import UserError


@dataclass(frozen=True)
class Box:
    """Actions of `size` real numbers, each between its own two finite bounds; a step clips what lies outside."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    dtype: ClassVar[torch.dtype] = torch.float64

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or not all(
            -torch.inf < a < b < torch.inf for a, b in zip(self.low, self.high, strict=True)
        ):
            raise UserError(f"a Box needs finite bounds with low < high in each dimension, not {self.low}, {self.high}")

    @property
    def size(self) -> int:
        return len(self.low)

    def bounds(self, like: Tensor) -> tuple[Float[Tensor, "A"], Float[Tensor, "A"]]:
        """Low and high, on the device and in the dtype of `like`."""
        return like.new_tensor(self.low), like.new_tensor(self.high)

    def clip(self, action: Float[Tensor, "*N A"]) -> Float[Tensor, "*N A"]:
        return torch.clamp(action, *self.bounds(action))

    def unit(self, action: Float[Tensor, "*N A"]) -> Float[Tensor, "*N A"]:
        """The box as [-1, 1] in each dimension."""
        low, high = self.bounds(action)
        return 2 * (action - low) / (high - low) - 1

    def stretch(self, unit: Float[Tensor, "*N A"]) -> Float[Tensor, "*N A"]:
        """[-1, 1] in each dimension as the box."""
        low, high = self.bounds(unit)
        return low + (high - low) * (unit + 1) / 2


@dataclass(frozen=True)
class Discrete:
    """Actions numbered 0 … n-1, one in each step: an integer tensor [N, 1]."""

    n: int

    size: ClassVar[int] = 1
    dtype: ClassVar[torch.dtype] = torch.int64

    def __post_init__(self) -> None:
        if self.n < 2:
            raise UserError(f"a Discrete space needs at least 2 actions, not {self.n}")

    def holds(self, action: Int[Tensor, "*N 1"]) -> bool:
        """Whether all of these are among its actions."""
        return bool(((action >= 0) & (action < self.n)).all())

    def unit(self, action: Int[Tensor, "*N 1"]) -> Int[Tensor, "*N 1"]:
        """The numbers themselves."""
        return action

    def stretch(self, unit: Int[Tensor, "*N 1"]) -> Int[Tensor, "*N 1"]:
        """The numbers themselves."""
        return unit


Space = Box | Discrete


class Step(NamedTuple):
    """What one action led to. A row is never both: an end that the world itself made wins over the time limit."""

    state: Float[Tensor, "N S"]
    reward: Float[Tensor, "N"]
    terminated: Bool[Tensor, "N"]
    truncated: Bool[Tensor, "N"]


@runtime_checkable
class Environment(Protocol):
    """N worlds in lockstep. All randomness comes from the keys, in `rlft.noise`'s stream ENVIRONMENT."""

    @property
    def name(self) -> str: ...

    @property
    def observation_size(self) -> int: ...

    @property
    def action(self) -> Space: ...

    @property
    def horizon(self) -> int:
        """Steps after which an episode is truncated."""
        ...

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N S"]:
        """Start states; equal keys give equal starts."""
        ...

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]:
        """What the policy sees of a state."""
        ...

    def step(self, state: Float[Tensor, "N S"], action: Num[Tensor, "N A"], t: int, keys: Int[Tensor, "N"]) -> Step:
        """Act at step number `t` (from 0); the keys are those of the rows, for noise during the episode."""
        ...


@runtime_checkable
class Stored(Protocol):
    """An environment whose observations are of a narrower type than the float64 it gives them in: pixels, say."""

    @property
    def observation_dtype(self) -> torch.dtype:
        """In which nothing of them is lost."""
        ...


@runtime_checkable
class Native(Protocol):
    """An environment of Gymnasium's, or one around such: data of others come in its spaces."""

    @property
    def native(self) -> Any:
        """The `gymnasium.Space` of its observations, before they were flattened."""
        ...


@runtime_checkable
class Measured(Protocol):
    """An environment that says where its goal is, so that `measure.control` can look past the reward."""

    @property
    def tolerance(self) -> float: ...

    def distance(self, observation: Float[Tensor, "*N O"]) -> Float[Tensor, "*N"]:
        """How far from the goal, in the environment's own unit; within `tolerance` is success."""
        ...

    def position(self, observation: Float[Tensor, "*N O"]) -> Float[Tensor, "*N X"]:
        """Where in space, for the length of a path."""
        ...

    def effort(self, action: Num[Tensor, "*N A"]) -> Float[Tensor, "*N"]:
        """The squared force of an action."""
        ...


@dataclass(frozen=True)
class Episode:
    """One finished episode: `rewards[i]` follows `actions[i]`, which was taken in `observations[i]`.

    There are T + 1 observations: the last has no action. `terminated`: the world ended it; `truncated`: the time limit
    did (bootstrap a value from the last observation then, and never on termination). `chunk`: how many actions were
    one decision.
    """

    observations: Float[Tensor, "_ O"]
    actions: Num[Tensor, "T A"]
    rewards: Float[Tensor, "T"]
    terminated: bool
    truncated: bool
    chunk: int = 1

    def __len__(self) -> int:
        return len(self.rewards)


@runtime_checkable
class Drawn(Protocol):
    """An environment that can say how an episode is to be drawn in a report."""

    def picture(self, episode: Episode) -> dict[str, Any]:
        """Plain values with the kind `trajectory`: positions, walls and goal on a map, or named series over time."""
        ...
