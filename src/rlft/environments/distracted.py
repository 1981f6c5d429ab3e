"""Worlds whose observations show more than matters: a point to be kept in the middle, and what goes on around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from rlft.environments.protocol import Box, Drawn, Environment, Episode, Space, Step
from rlft.noise import ENVIRONMENT, normal, uniform
from rlft.types import UserError

# Length unit: half the side of the arena. Time unit: chosen so that a step is a tenth.
STEP, POWER, DRAG = 0.1, 4.0, 1.0
# Of the start's noise come first the inner world's own decisions.
_START = 1_000_000


@dataclass(frozen=True)
class Centring:
    """A point with inertia in the square [-1, 1]², pushed by a force, paid for being near the middle.

        v' = (1 - DRAG·dt) v + dt POWER a         p' = p + dt v', stopped by the border
        reward = 1 - 2 |p'|

    State and observation are (x, y, vx, vy); the start is at rest, uniform in the square. It never terminates. To do
    nothing earns 1 - 2 · 0.765 a step; what the point does without being seen cannot be much better.
    """

    horizon: int = 30

    name: str = field(default="centring", init=False, repr=False)
    observation_size: int = field(default=4, init=False, repr=False)
    action: Box = field(default=Box(low=(-1.0, -1.0), high=(1.0, 1.0)), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise UserError(f"horizon must be at least 1, not {self.horizon}")

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N 4"]:
        u = 2 * uniform(keys, 2, ENVIRONMENT) - 1
        return torch.cat([u, torch.zeros_like(u)], dim=1)

    def observe(self, state: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
        return state

    def step(self, state: Float[Tensor, "N 4"], action: Float[Tensor, "N 2"], t: int, keys: Int[Tensor, "N"]) -> Step:
        here, velocity = state[:, :2], state[:, 2:]
        velocity = (1 - DRAG * STEP) * velocity + STEP * POWER * self.action.clip(action).to(state)
        there = (here + STEP * velocity).clamp(-1, 1)
        new = torch.cat([there, velocity.masked_fill(there.abs() == 1, 0)], dim=1)
        never = torch.zeros(len(state), dtype=torch.bool, device=state.device)
        return Step(new, 1 - 2 * there.norm(dim=1), never, never | (t + 1 >= self.horizon))

    def controlled(self, observation: Float[Tensor, "*N 4"]) -> Float[Tensor, "*N 2"]:
        """A good controller: proportional and derivative, its gains found by a grid."""
        return self.action.clip(-9.0 * observation[..., :2] - 2.0 * observation[..., 2:])

    def picture(self, episode: Episode) -> dict[str, Any]:
        """Where the point was over time."""
        x, y = episode.observations[:, 0], episode.observations[:, 1]
        return {"kind": "trajectory", "series": {"x": x.tolist(), "y": y.tolist()}}


@dataclass(frozen=True)
class Distracted:
    """A world seen through a rotation that mixes it with numbers that have nothing to do with it.

        f' = rho f + sqrt(1 - rho²) n,  n ~ N(0, I)        d = M f        observation = R [o, amplitude · d]

    f are stationary AR(1) series, each row's own: few causes of much that is seen, as in a film. M has rows of length
    1, so each of the distractors d has variance 1; R is a random orthogonal matrix. Both are of the seed `look`.
    amplitude=0 is the same world without distraction, seen through as many numbers.

    inner     the world: an Environment of vectors
    sources   how many series there are
    """

    inner: Environment
    distractors: int = 32
    sources: int = 6
    amplitude: float = 1.0
    rho: float = 0.9
    look: int = 0

    def __post_init__(self) -> None:
        if min(self.distractors, self.sources) < 1 or not 0 <= self.rho < 1 or self.amplitude < 0:
            raise UserError(f"at least one distractor and source, rho in [0, 1), an amplitude from 0 on; got {self}")
        size, generator = self.observation_size, torch.Generator().manual_seed(self.look)
        drawn = torch.randn(size, size, dtype=torch.float64, generator=generator)
        mixing = torch.randn(self.distractors, self.sources, dtype=torch.float64, generator=generator)
        object.__setattr__(self, "rotation", torch.linalg.qr(drawn).Q)
        object.__setattr__(self, "mixing", mixing / mixing.norm(dim=1, keepdim=True))

    @property
    def name(self) -> str:
        return f"distracted-{self.inner.name}"

    @property
    def observation_size(self) -> int:
        return self.inner.observation_size + self.distractors

    @property
    def action(self) -> Space:
        return self.inner.action

    @property
    def horizon(self) -> int:
        return self.inner.horizon

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N S"]:
        return torch.cat([self.inner.reset(keys), self._new(keys, 0)], dim=1)

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]:
        world, around = state[:, : -self.sources], state[:, -self.sources :]
        around = around @ vars(self)["mixing"].to(around).T
        both = torch.cat([self.inner.observe(world), self.amplitude * around], dim=1)
        return both @ vars(self)["rotation"].to(both).T

    def step(self, state: Float[Tensor, "N S"], action: Num[Tensor, "N A"], t: int, keys: Int[Tensor, "N"]) -> Step:
        step = self.inner.step(state[:, : -self.sources], action, t, keys)
        around = self.rho * state[:, -self.sources :]
        around = around + (1 - self.rho**2) ** 0.5 * self._new(keys, t + 1)
        return step._replace(state=torch.cat([step.state, around.to(step.state)], dim=1))

    def _new(self, keys: Int[Tensor, "N"], t: int) -> Float[Tensor, "N K"]:
        return normal(keys, torch.tensor([_START + t], device=keys.device), (self.sources,), ENVIRONMENT)[:, 0]

    def apart(self, observation: Float[Tensor, "*N O"]) -> tuple[Float[Tensor, "*N I"], Float[Tensor, "*N K"]]:
        """What the inner world showed, and the distraction, as R's inverse finds them."""
        both = observation @ vars(self)["rotation"].to(observation)
        return both[..., : -self.distractors], both[..., -self.distractors :]

    def picture(self, episode: Episode) -> dict[str, Any]:
        """What happened in the inner world, as it draws it; rewards over time where it does not draw."""
        if isinstance(self.inner, Drawn):
            seen, _ = self.apart(episode.observations)
            shown = Episode(seen, episode.actions, episode.rewards, episode.terminated, episode.truncated)
            return self.inner.picture(shown)
        return {"kind": "trajectory", "series": {"reward": episode.rewards.tolist()}}
