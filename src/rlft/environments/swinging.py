"""Swing up and balance: a pendulum with a motor, and a pole on a cart. Point masses, mass matrices written down."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.environments.mechanics import Mechanics, Mechanism
from rlft.environments.pendulum import Rod
from rlft.environments.protocol import Box, Episode
from rlft.noise import ENVIRONMENT, uniform
from rlft.types import UserError

_SLOW = 8.0  # rad/s that a reward takes for fast


def _upright(cosine: Tensor, omega: Tensor) -> Tensor:
    """(1 + cos θ) / 2 · exp(-(ω / 8)²): 1 upright and at rest, 0 hanging."""
    return (1 + cosine) / 2 * (-(omega / _SLOW).square()).exp()


@dataclass(frozen=True)
class SwingUp(Rod, Mechanism):
    """A mass at the end of a rod, turned by a motor that may be too weak to lift it in one go; θ = 0 is upright.

        m l² θ̈ + friction θ̇ - m g l sin θ = u
        reward = (1 + cos θ) / 2 · exp(-(θ̇ / 8)²)                     of the state after the step

    State (θ, θ̇), observation (cos θ, sin θ, θ̇), action the torque u, within ±`torque` N m. It starts hanging, within
    ±0.5 rad and ±0.5 rad/s, and never terminates.

    known     the mechanics that are known of it; None are its own
    """

    mass: float = 1.0
    length: float = 1.0
    friction: float = 0.0
    torque: float = 5.0
    g: float = 10.0
    dt: float = 0.05
    parts: int = 2
    horizon: int = 100
    known: Mechanics | None = None

    name: str = field(default="swing_up", init=False, repr=False)
    observation_size: int = field(default=3, init=False, repr=False)
    angles: tuple[bool, ...] = field(default=(True,), init=False, repr=False)
    tolerance: float = field(default=0.25, init=False, repr=False)  # rad

    def __post_init__(self) -> None:
        if min(self.mass, self.length, self.torque, self.g, self.dt, self.parts, self.horizon) <= 0:
            raise UserError(f"mass, length, torque, g, dt, parts and horizon must be positive, not {self}")
        if self.friction < 0:
            raise UserError(f"friction takes energy away, so it is not negative: {self.friction}")

    @property
    def action(self) -> Box:
        return Box((-self.torque,), (self.torque,))

    def inertia(self, q: Float[Tensor, "N 1"]) -> Float[Tensor, "N 1 1"]:
        return torch.full_like(q, self.mass * self.length**2)[..., None]

    def bias(self, q: Float[Tensor, "N 1"], v: Float[Tensor, "N 1"]) -> Float[Tensor, "N 1"]:
        return self.friction * v - self.mass * self.g * self.length * q.sin()

    def forces(
        self, q: Float[Tensor, "N 1"], v: Float[Tensor, "N 1"], action: Float[Tensor, "N 1"]
    ) -> Float[Tensor, "N 1"]:
        return action

    def energy(self, state: Float[Tensor, "N 2"]) -> Float[Tensor, "N"]:
        """1/2 m l² θ̇² + m g l cos θ, in joules."""
        theta, omega = state.unbind(dim=-1)
        moving = 0.5 * self.mass * (self.length * omega).square()
        return moving + self.mass * self.g * self.length * theta.cos()

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N 2"]:
        u = uniform(keys, 2, ENVIRONMENT) - 0.5
        return torch.stack([math.pi + u[:, 0], u[:, 1]], dim=1)

    def observe(self, state: Float[Tensor, "N 2"]) -> Float[Tensor, "N 3"]:
        theta, omega = state.unbind(dim=-1)
        return torch.stack([theta.cos(), theta.sin(), omega], dim=-1)

    def coordinates(self, seen: Float[Tensor, "N 3"]) -> Float[Tensor, "N 2"]:
        cosine, sine, omega = seen.unbind(dim=-1)
        return torch.stack([torch.atan2(sine, cosine), omega], dim=-1)

    def reward(
        self, seen: Float[Tensor, "N 3"], action: Float[Tensor, "N 1"], after: Float[Tensor, "N 3"]
    ) -> Float[Tensor, "N"]:
        return _upright(after[..., 0], after[..., 2])

    def ended(self, after: Float[Tensor, "N 3"]) -> Bool[Tensor, "N"]:
        return torch.zeros_like(after[..., 0], dtype=torch.bool)

    def speed(self, seen: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        """How fast the rod turns, in rad/s."""
        return seen[..., 2].abs()


@dataclass(frozen=True)
class CartSwingUp(Mechanism):
    """A pole that hangs from a cart on a track, swung up by pushing the cart; θ = 0 is upright, the tip at x + l sin θ.

        (M + m) ẍ + m l cos θ θ̈ - m l sin θ θ̇² + rolling ẋ = u
        m l cos θ ẍ + m l² θ̈ - m g l sin θ + friction θ̇ = 0
        reward = (1 + cos θ) / 2 · exp(-(θ̇ / 8)²) (1 - (x / track)² / 2)            of the state after the step

    State (x, θ, ẋ, θ̇), observation (x, cos θ, sin θ, ẋ, θ̇), action the force u, within ±`force` N. It starts in the
    middle, hanging, within ±0.5 rad, and ends where the cart leaves the track, |x| > `track`.

    known     the mechanics that are known of it; None are its own
    """

    cart: float = 1.0
    mass: float = 0.3
    length: float = 0.6
    friction: float = 0.0
    rolling: float = 0.0
    force: float = 10.0
    track: float = 2.0
    g: float = 10.0
    dt: float = 0.04
    parts: int = 2
    horizon: int = 100
    known: Mechanics | None = None

    name: str = field(default="cart_swing_up", init=False, repr=False)
    observation_size: int = field(default=5, init=False, repr=False)
    angles: tuple[bool, ...] = field(default=(False, True), init=False, repr=False)
    tolerance: float = field(default=0.25, init=False, repr=False)  # rad

    def __post_init__(self) -> None:
        positive = (self.cart, self.mass, self.length, self.force, self.track, self.g, self.dt, self.parts)
        if min(*positive, self.horizon) <= 0:
            raise UserError(f"masses, length, force, track, g, dt, parts and horizon must be positive, not {self}")
        if min(self.friction, self.rolling) < 0:
            raise UserError(f"friction takes energy away, so it is not negative: {self.friction}, {self.rolling}")

    @property
    def action(self) -> Box:
        return Box((-self.force,), (self.force,))

    def inertia(self, q: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2 2"]:
        both = torch.full_like(q[..., 0], self.cart + self.mass)
        across = self.mass * self.length * q[..., 1].cos()
        pole = torch.full_like(across, self.mass * self.length**2)
        return torch.stack([torch.stack([both, across], dim=-1), torch.stack([across, pole], dim=-1)], dim=-2)

    def bias(self, q: Float[Tensor, "N 2"], v: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
        sine, omega, lever = q[..., 1].sin(), v[..., 1], self.mass * self.length
        cart = self.rolling * v[..., 0] - lever * sine * omega.square()
        return torch.stack([cart, self.friction * omega - lever * self.g * sine], dim=-1)

    def forces(
        self, q: Float[Tensor, "N 2"], v: Float[Tensor, "N 2"], action: Float[Tensor, "N 1"]
    ) -> Float[Tensor, "N 2"]:
        return torch.cat([action, torch.zeros_like(action)], dim=-1)

    def energy(self, state: Float[Tensor, "N 4"]) -> Float[Tensor, "N"]:
        """1/2 q̇ᵀ M q̇ + m g l cos θ, in joules."""
        q, v = state.chunk(2, dim=-1)
        moving = 0.5 * (v * (self.inertia(q) @ v[..., None])[..., 0]).sum(dim=-1)
        return moving + self.mass * self.g * self.length * q[..., 1].cos()

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N 4"]:
        u = uniform(keys, 4, ENVIRONMENT) - 0.5
        return torch.stack([0.4 * u[:, 0], math.pi + u[:, 1], 0.4 * u[:, 2], 0.4 * u[:, 3]], dim=1)

    def observe(self, state: Float[Tensor, "N 4"]) -> Float[Tensor, "N 5"]:
        x, theta, speed, omega = state.unbind(dim=-1)
        return torch.stack([x, theta.cos(), theta.sin(), speed, omega], dim=-1)

    def coordinates(self, seen: Float[Tensor, "N 5"]) -> Float[Tensor, "N 4"]:
        x, cosine, sine, speed, omega = seen.unbind(dim=-1)
        return torch.stack([x, torch.atan2(sine, cosine), speed, omega], dim=-1)

    def reward(
        self, seen: Float[Tensor, "N 5"], action: Float[Tensor, "N 1"], after: Float[Tensor, "N 5"]
    ) -> Float[Tensor, "N"]:
        return _upright(after[..., 1], after[..., 4]) * (1 - 0.5 * (after[..., 0] / self.track).square()).clamp(min=0)

    def ended(self, after: Float[Tensor, "N 5"]) -> Bool[Tensor, "N"]:
        return after[..., 0].abs() > self.track

    def speed(self, seen: Float[Tensor, "*N 5"]) -> Float[Tensor, "*N"]:
        """How fast the pole turns, in rad/s."""
        return seen[..., 4].abs()

    def distance(self, observation: Float[Tensor, "*N 5"]) -> Float[Tensor, "*N"]:
        """The angle from upright, in radians, from 0 to π."""
        return torch.atan2(observation[..., 2], observation[..., 1]).abs()

    def position(self, observation: Float[Tensor, "*N 5"]) -> Float[Tensor, "*N 1"]:
        """The cart, in metres."""
        return observation[..., :1]

    def effort(self, action: Float[Tensor, "*N 1"]) -> Float[Tensor, "*N"]:
        return self.action.clip(action).square().sum(dim=-1)

    def picture(self, episode: Episode) -> dict[str, Any]:
        """Angle from upright, place of the cart and force over time."""
        angle, force = self.distance(episode.observations), self.action.clip(episode.actions)[:, 0]
        series = {"angle (rad)": angle.tolist(), "cart (m)": episode.observations[:, 0].tolist()}
        return {"kind": "trajectory", "series": {**series, "force (N)": force.tolist()}}
