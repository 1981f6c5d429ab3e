"""A discrete-action version of any environment with continuous actions. Not a space: a wrapper around a world."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.environments.protocol import Box, Discrete, Drawn, Environment, Episode, Measured, Step
from rlft.types import UserError

World = TypeVar("World", bound=Environment)


def compass(n: int) -> tuple[tuple[float, float], ...]:
    """A menu of planar forces: none, and n - 1 unit vectors in evenly spaced directions, east first (5 or 9)."""
    if n < 2:
        raise UserError(f"a compass needs at least 2 actions, not {n}")
    angles = [2 * math.pi * i / (n - 1) for i in range(n - 1)]
    return ((0.0, 0.0), *((_tidy(math.cos(a)), _tidy(math.sin(a))) for a in angles))


def _tidy(x: float) -> float:
    """0 and not 6e-17: the choices are printed, and hashed into names."""
    return round(x, 15) + 0.0


def innermost(environment: Environment) -> Environment:
    """The environment that a menu, or a menu of a menu, was made of; another one itself."""
    return innermost(environment.inner) if isinstance(environment, Menu) else environment


@dataclass(frozen=True)
class Menu(Generic[World]):
    """The inner environment, with action i standing for `choices[i]`; states, starts and rewards are unchanged."""

    inner: World
    choices: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        space = self.inner.action
        if not isinstance(space, Box):
            raise UserError(f"a Menu needs an environment with continuous actions; {self.inner.name} has {space}")
        if any(len(choice) != space.size for choice in self.choices):
            raise UserError(f"each choice needs {space.size} numbers for {self.inner.name}, got {self.choices}")

    @property
    def name(self) -> str:
        return f"{self.inner.name}-{len(self.choices)}"

    @property
    def observation_size(self) -> int:
        return self.inner.observation_size

    @property
    def action(self) -> Discrete:
        return Discrete(len(self.choices))

    @property
    def horizon(self) -> int:
        return self.inner.horizon

    def meaning(self, action: Int[Tensor, "*N 1"]) -> Float[Tensor, "*N A"]:
        """The inner environment's actions."""
        return torch.tensor(self.choices, dtype=torch.float64, device=action.device)[action[..., 0]]

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N S"]:
        return self.inner.reset(keys)

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]:
        return self.inner.observe(state)

    def step(self, state: Float[Tensor, "N S"], action: Int[Tensor, "N 1"], t: int, keys: Int[Tensor, "N"]) -> Step:
        return self.inner.step(state, self.meaning(action), t, keys)

    @property
    def tolerance(self) -> float:
        return self._measured.tolerance

    def distance(self, observation: Float[Tensor, "*N O"]) -> Float[Tensor, "*N"]:
        return self._measured.distance(observation)

    def position(self, observation: Float[Tensor, "*N O"]) -> Float[Tensor, "*N X"]:
        return self._measured.position(observation)

    def effort(self, action: Int[Tensor, "*N 1"]) -> Float[Tensor, "*N"]:
        return self._measured.effort(self.meaning(action))

    def picture(self, episode: Episode) -> dict[str, Any]:
        if isinstance(self.inner, Drawn):
            return self.inner.picture(replace(episode, actions=self.meaning(episode.actions)))
        return {"kind": "trajectory", "series": {"action": episode.actions[:, 0].tolist()}}

    @property
    def _measured(self) -> Measured:
        if isinstance(self.inner, Measured):
            return self.inner
        raise UserError(f"{self.inner.name} does not say where its goal is: it needs the methods of Measured")
