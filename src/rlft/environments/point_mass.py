"""A point with inertia that has to pass a gap in a wall. Not a robot: the smallest task with an obstacle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.environments.protocol import Box, Episode, Step
from rlft.noise import ENVIRONMENT, normal, uniform
from rlft.types import UserError

# Length unit: half the side of the square arena. Time unit: chosen so that a step is a tenth.
STEP, POWER, DRAG = 0.1, 2.0, 1.0


@dataclass(frozen=True)
class PointMass:
    """A unit mass in the square [-1, 1]², pushed by a force; a wall stands at x = 0, start left, goal right of it.

        v' = (1 - DRAG·dt) v + dt (POWER·a + gust·z)        z ~ N(0, I), its own at every step and row
        p' = p + dt v'                                      stopped by the wall, except in a gap, and by the border
        reward = 1[goal reached] + shaping · (to_go(p) - to_go(p'))

    `to_go` is the length of the shortest way to the goal's centre through a gap. The shaping telescopes: an episode
    earns to_go(start) - to_go(end), plus 1 for the goal, which ends it. `shaping=0` is the sparse reward. State and
    observation are (x, y, vx, vy); the start is at rest in a strip along the left border. With several gaps there are
    several ways, and none is preferred by the sparse reward.

    gaps      the openings, as (lowest, highest) y
    gust      standard deviation of a random force; 0 makes the world deterministic
    """

    shaping: float = 1.0
    gaps: tuple[tuple[float, float], ...] = ((-0.2, 0.2),)
    gust: float = 0.0
    horizon: int = 40

    name: str = field(default="point-mass", init=False, repr=False)
    observation_size: int = field(default=4, init=False, repr=False)
    action: Box = field(default=Box(low=(-1.0, -1.0), high=(1.0, 1.0)), init=False, repr=False)
    goal: ClassVar[tuple[float, float]] = (0.7, 0.5)
    tolerance: float = field(default=0.15, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.gaps or not all(-1 <= low < high <= 1 for low, high in self.gaps):
            raise UserError(f"gaps are (lowest, highest) y within [-1, 1], at least one, not {self.gaps}")
        if self.horizon < 1 or self.gust < 0:
            raise UserError(f"horizon must be at least 1 and gust not negative, not {self.horizon} and {self.gust}")

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N 4"]:
        u = uniform(keys, 2, ENVIRONMENT)
        return torch.stack([-0.9 + 0.4 * u[:, 0], -0.8 + 1.6 * u[:, 1], 0 * u[:, 0], 0 * u[:, 0]], dim=1)

    def observe(self, state: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
        return state

    def step(self, state: Float[Tensor, "N 4"], action: Float[Tensor, "N 2"], t: int, keys: Int[Tensor, "N"]) -> Step:
        here, velocity = state[:, :2], state[:, 2:]
        force = POWER * self.action.clip(action).to(state)
        if self.gust:
            # decisions 0 and 1 are the start's; a caller may give the same keys to both
            force = force + self.gust * normal(keys, torch.tensor([t + 2]), (2,), ENVIRONMENT)[:, 0].to(state)
        velocity = (1 - DRAG * STEP) * velocity + STEP * force
        there = (here + STEP * velocity).clamp(-1, 1)
        blocked = self._blocked(here, there)
        there = torch.stack([torch.where(blocked, here[:, 0], there[:, 0]), there[:, 1]], dim=1)
        stopped = (there.abs() == 1) | torch.stack([blocked, torch.zeros_like(blocked)], dim=1)
        new = torch.cat([there, velocity.masked_fill(stopped, 0)], dim=1)
        reached = self.distance(new) <= self.tolerance
        reward = reached.to(state)
        if self.shaping:
            reward = reward + self.shaping * (self.to_go(here) - self.to_go(there))
        out_of_time = torch.full_like(reached, t + 1 >= self.horizon) & ~reached
        return Step(new, reward, reached, out_of_time)

    def _blocked(self, here: Float[Tensor, "N 2"], there: Float[Tensor, "N 2"]) -> Bool[Tensor, "N"]:
        """Whether the straight move meets the wall outside every gap."""
        crosses = (here[:, 0] < 0) != (there[:, 0] < 0)
        run = torch.where(crosses, here[:, 0] - there[:, 0], 1)
        y = here[:, 1] + (there[:, 1] - here[:, 1]) * here[:, 0] / run
        through = torch.stack([(low < y) & (y < high) for low, high in self.gaps]).any(dim=0)
        return crosses & ~through

    def crossing(self, position: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N 2"]:
        """From left of the wall: where the shortest way to the goal passes it."""
        x, y = position[..., 0], position[..., 1]
        straight = y + (self.goal[1] - y) * -x / (self.goal[0] - x)
        at = torch.stack([straight.clamp(low, high) for low, high in self.gaps])
        way = torch.stack([torch.zeros_like(at), at], dim=-1)
        length = (way - position).norm(dim=-1) + (way - position.new_tensor(self.goal)).norm(dim=-1)
        nearest = length.argmin(dim=0)
        return way.gather(0, nearest[None, ..., None].expand(1, *way.shape[1:]))[0]

    def to_go(self, position: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N"]:
        """Length of the shortest way to the goal that passes no wall."""
        goal = position.new_tensor(self.goal)
        way = self.crossing(position)
        around = (position - way).norm(dim=-1) + (way - goal).norm(dim=-1)
        return torch.where(position[..., 0] < 0, around, (position - goal).norm(dim=-1))

    def distance(self, observation: Float[Tensor, "*N 4"]) -> Float[Tensor, "*N"]:
        return (observation[..., :2] - observation.new_tensor(self.goal)).norm(dim=-1)

    def position(self, observation: Float[Tensor, "*N 4"]) -> Float[Tensor, "*N 2"]:
        return observation[..., :2]

    def effort(self, action: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N"]:
        return self.action.clip(action).square().sum(dim=-1)

    def picture(self, episode: Episode) -> dict[str, Any]:
        """The path on a map with the border, the pieces of the wall as (x0, y0, x1, y1), and the goal."""
        walls = [[-1, -1, 1, -1], [-1, 1, 1, 1], [-1, -1, -1, 1], [1, -1, 1, 1]]
        top = -1.0
        for low, high in sorted(self.gaps):
            walls += [[0, top, 0, low]] if low > top else []
            top = max(top, high)
        walls += [[0, top, 0, 1]] if top < 1 else []
        path = self.position(episode.observations).tolist()
        return {"kind": "trajectory", "positions": path, "walls": walls, "goal": list(self.goal)}
