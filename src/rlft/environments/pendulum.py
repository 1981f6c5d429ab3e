"""Swing a pendulum up and hold it there: the equations of Gymnasium's Pendulum-v1, batched. No rendering."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.environments.protocol import Box, Episode, Step
from rlft.noise import ENVIRONMENT, uniform
from rlft.types import UserError

STEP, FASTEST = 0.05, 8.0  # s, rad/s


class Rod:
    """What there is to say of a rod on a pivot from what is seen of it, (cos θ, sin θ, ω); θ = 0 is upright."""

    length: float
    action: Box

    def distance(self, observation: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        """The angle from upright, in radians, from 0 to π."""
        return torch.atan2(observation[..., 1], observation[..., 0]).abs()

    def position(self, observation: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N 2"]:
        """Its end, in metres."""
        return self.length * observation[..., :2]

    def effort(self, action: Float[Tensor, "*N 1"]) -> Float[Tensor, "*N"]:
        return self.action.clip(action).square().sum(dim=-1)

    def picture(self, episode: Episode) -> dict[str, Any]:
        """Angle from upright and torque over time."""
        angle, torque = self.distance(episode.observations), self.action.clip(episode.actions)[:, 0]
        return {"kind": "trajectory", "series": {"angle (rad)": angle.tolist(), "torque (N m)": torque.tolist()}}


@dataclass(frozen=True)
class Pendulum(Rod):
    """A rod turned by a motor that is too weak to lift it in one go; θ = 0 is upright.

        ω' = clip(ω + (3g/2l · sin θ + 3/(ml²) · u) dt, ±8)         θ' = θ + ω' dt
        reward = -(angle(θ)² + 0.1 ω² + 0.001 u²)                   of the state before the step

    State (θ, ω), observation (cos θ, sin θ, ω), action the torque u in [-2, 2] N m. Never terminates. The start is
    uniform in θ over the circle and in ω over ±1 rad/s. Other values of g, mass and length make other worlds, to
    transfer to. Each step's reward is between -16.3 and 0.
    """

    g: float = 10.0
    mass: float = 1.0
    length: float = 1.0
    horizon: int = 200

    name: str = field(default="pendulum", init=False, repr=False)
    observation_size: int = field(default=3, init=False, repr=False)
    action: Box = field(default=Box(low=(-2.0,), high=(2.0,)), init=False, repr=False)
    tolerance: float = field(default=0.25, init=False, repr=False)  # rad

    def __post_init__(self) -> None:
        if min(self.g, self.mass, self.length, self.horizon) <= 0:
            raise UserError(f"g, mass, length and horizon must be positive, not {self}")

    @property
    def gravity(self) -> float:
        """3g/2l, in rad/s²: the acceleration when the rod is level."""
        return 3 * self.g / (2 * self.length)

    @property
    def push(self) -> float:
        """3/(ml²): the acceleration of a torque of 1 N m."""
        return 3.0 / (self.mass * self.length**2)

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N 2"]:
        u = 2 * uniform(keys, 2, ENVIRONMENT) - 1
        return torch.stack([math.pi * u[:, 0], u[:, 1]], dim=1)

    def observe(self, state: Float[Tensor, "N 2"]) -> Float[Tensor, "N 3"]:
        return torch.stack([state[:, 0].cos(), state[:, 0].sin(), state[:, 1]], dim=1)

    def step(self, state: Float[Tensor, "N 2"], action: Float[Tensor, "N 1"], t: int, keys: Int[Tensor, "N"]) -> Step:
        theta, omega = state.unbind(dim=1)
        torque = self.action.clip(action).to(state)[:, 0]
        angle = torch.remainder(theta + math.pi, 2 * math.pi) - math.pi
        cost = angle**2 + 0.1 * omega**2 + 0.001 * torque**2
        omega = (omega + (self.gravity * theta.sin() + self.push * torque) * STEP).clamp(-FASTEST, FASTEST)
        new = torch.stack([theta + omega * STEP, omega], dim=1)
        never = torch.zeros(len(state), dtype=torch.bool, device=state.device)
        return Step(new, -cost, never, never | (t + 1 >= self.horizon))
