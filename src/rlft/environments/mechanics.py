"""Worlds of rigid bodies whose equations of motion are written down, and what of them is known to whoever models them.

    M(q) q̈ + bias(q, q̇) = forces(q, q̇, a)

N rows, d coordinates q and velocities q̇, O numbers of an observation. A state is (q, q̇), [N 2d].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.environments.protocol import Box, Step


@runtime_checkable
class Scored(Protocol):
    """An environment whose reward and whose end are known functions of what is seen, in the world or in a model."""

    def reward(
        self, seen: Float[Tensor, "N O"], action: Float[Tensor, "N A"], after: Float[Tensor, "N O"]
    ) -> Float[Tensor, "N"]:
        """Of one step."""
        ...

    def ended(self, after: Float[Tensor, "N O"]) -> Bool[Tensor, "N"]:
        """Whether the world itself ends there."""
        ...


@runtime_checkable
class Mechanics(Protocol):
    """What a mechanism's equations are made of.

    angles     which of the coordinates are angles, which have no end
    dt, parts  seconds of a step, and how many steps of the integrator there are in it
    """

    @property
    def angles(self) -> tuple[bool, ...]: ...

    @property
    def dt(self) -> float: ...

    @property
    def parts(self) -> int: ...

    @property
    def action(self) -> Box: ...

    def inertia(self, q: Float[Tensor, "N d"]) -> Float[Tensor, "N d d"]:
        """M(q), symmetric and positive definite."""
        ...

    def bias(self, q: Float[Tensor, "N d"], v: Float[Tensor, "N d"]) -> Float[Tensor, "N d"]:
        """Coriolis and centrifugal forces, gravity, and known friction, on the left of the equation."""
        ...

    def forces(
        self, q: Float[Tensor, "N d"], v: Float[Tensor, "N d"], action: Float[Tensor, "N A"]
    ) -> Float[Tensor, "N d"]:
        """The generalised forces of an action."""
        ...

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]:
        """What is seen of a state."""
        ...

    def coordinates(self, seen: Float[Tensor, "N O"]) -> Float[Tensor, "N S"]:
        """The state of what is seen, angles within ±π: a right inverse of `observe`."""
        ...


@runtime_checkable
class Nominal(Protocol):
    """An environment of whose mechanics something is known, which need not be true of it."""

    @property
    def nominal(self) -> Mechanics:
        """The mechanics as its maker gives them."""
        ...


def accelerated(mass: Float[Tensor, "N d d"], forces: Float[Tensor, "N d"]) -> Float[Tensor, "N d"]:
    """M⁻¹ forces; in closed form of up to two coordinates, where a row does not depend on its neighbours."""
    if mass.shape[-1] == 1:
        return forces / mass[..., 0]
    if mass.shape[-1] == 2:
        (a, b), (c, d) = (row.unbind(dim=-1) for row in mass.unbind(dim=-2))
        x, y = forces.unbind(dim=-1)
        return torch.stack([d * x - b * y, a * y - c * x], dim=-1) / (a * d - b * c)[..., None]
    return torch.linalg.solve(mass, forces)


def integrated(
    known: Mechanics,
    state: Float[Tensor, "N S"],
    action: Float[Tensor, "N A"],
    external: Float[Tensor, "N d"] | None = None,
) -> Float[Tensor, "N S"]:
    """One step of `dt` seconds by the semi-implicit Euler method, in `parts` parts.

        q̈  = M(q)⁻¹ (forces(q, q̇, a) - bias(q, q̇) + external)
        q̇' = q̇ + q̈ dt/parts         q' = q + q̇' dt/parts

    The action and the external forces are held over the step. The method is of first order; with a mass matrix that is
    constant it is symplectic, and without friction the energy swings about its value and does not drift.
    """
    q, v = state.chunk(2, dim=-1)
    action = known.action.clip(action).to(state)
    for _ in range(known.parts):
        forces = known.forces(q, v, action) - known.bias(q, v)
        if external is not None:
            forces = forces + external
        v = v + accelerated(known.inertia(q), forces) * (known.dt / known.parts)
        q = q + v * (known.dt / known.parts)
    return torch.cat([q, v], dim=-1)


def difference(known: Mechanics, state: Float[Tensor, "*N S"], other: Float[Tensor, "*N S"]) -> Float[Tensor, "*N S"]:
    """state - other, the angles the short way round."""
    apart = state - other
    turns = torch.tensor([*known.angles, *(False for _ in known.angles)], device=apart.device)
    return torch.where(turns, torch.atan2(apart.sin(), apart.cos()), apart)


class Mechanism(Mechanics, ABC):
    """An environment that is integrated: its `step` and `nominal`. Subclasses are frozen dataclasses."""

    horizon: int
    known: Mechanics | None

    @property
    def nominal(self) -> Mechanics:
        """The mechanics that are known of it: given ones, or its own."""
        return self if self.known is None else self.known

    def step(self, state: Float[Tensor, "N S"], action: Float[Tensor, "N A"], t: int, keys: Int[Tensor, "N"]) -> Step:
        new = integrated(self, state, action)
        after = self.observe(new)
        ended = self.ended(after)
        late = torch.full_like(ended, t + 1 >= self.horizon)
        return Step(new, self.reward(self.observe(state), action, after), ended, late & ~ended)

    @abstractmethod
    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]: ...

    @abstractmethod
    def reward(
        self, seen: Float[Tensor, "N O"], action: Float[Tensor, "N A"], after: Float[Tensor, "N O"]
    ) -> Float[Tensor, "N"]: ...

    @abstractmethod
    def ended(self, after: Float[Tensor, "N O"]) -> Bool[Tensor, "N"]: ...
