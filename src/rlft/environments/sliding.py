"""A stone that is let go at a line and slides to a stop. The smallest task whose outcome hangs on an unseen friction.

The hand may not follow: what happens behind the line was decided before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.environments.protocol import Box, Episode, Step
from rlft.noise import ENVIRONMENT, uniform
from rlft.types import UserError

# Length unit: half the side of the square arena. Time unit: a step. `LAG` is the share of a command that a step obeys.
SPEED, LAG, LINE = 0.12, 0.5, -0.2


@dataclass(frozen=True)
class Sliding:
    """A stone q in a hand that follows commanded velocities a little late, in the square [-1, 1]², let go at x = LINE.

        v' = (1 - LAG) v + LAG SPEED a                        while q_x < LINE, and behind it
        v' = v max(0, 1 - friction / |v|)
        q' = q + v'                                           at the border it lies still
        reward = 1[|g - q'| ≤ tolerance] at the last step

    A stone that is let go with speed s slides s² / (2 friction) - s / 2 far. The state is (q, v, g), and the
    observation (q, v, g - q). The stone starts at the left, at rest; the goal is to the right of the line. Rewards and
    ends are known functions of what is seen but for the time, which ends all episodes: nothing is earned before it, and
    nothing in a model of this world, see `worlds.gymnast` for its judge.

    friction   by which a step slows the stone
    """

    friction: float = 0.004
    horizon: int = 40
    tolerance: float = 0.12

    name: str = field(default="sliding", init=False, repr=False)
    observation_size: int = field(default=6, init=False, repr=False)
    action: Box = field(default=Box(low=(-1.0, -1.0), high=(1.0, 1.0)), init=False, repr=False)

    def __post_init__(self) -> None:
        if not (self.friction > 0 and self.horizon >= 1 and self.tolerance > 0):
            raise UserError(f"friction, horizon and tolerance are more than 0, not {self}")

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N 6"]:
        u = uniform(keys, 4, ENVIRONMENT)
        low, high = u.new_tensor([-0.9, -0.3, 0.1, -0.4]), u.new_tensor([-0.7, 0.3, 0.8, 0.4])
        placed = low + (high - low) * u
        return torch.cat([placed[:, :2], torch.zeros_like(placed[:, :2]), placed[:, 2:]], dim=1)

    def observe(self, state: Float[Tensor, "N 6"]) -> Float[Tensor, "N 6"]:
        return torch.cat([state[:, :4], state[:, 4:] - state[:, :2]], dim=1)

    def step(self, state: Float[Tensor, "N 6"], action: Float[Tensor, "N 2"], t: int, keys: Int[Tensor, "N"]) -> Step:
        stone, velocity, goal = state.split(2, dim=1)
        led = (1 - LAG) * velocity + LAG * SPEED * self.action.clip(action).to(state)
        pace = velocity.norm(dim=1, keepdim=True)
        slid = velocity * (1 - self.friction / pace.clamp(min=1e-12)).clamp(min=0)
        velocity = torch.where(stone[:, :1] < LINE, led, slid)
        there = (stone + velocity).clamp(-1, 1)
        velocity = torch.where((there == stone + velocity).all(dim=1, keepdim=True), velocity, 0.0)
        new = torch.cat([there, velocity, goal], dim=1)
        over = torch.full((len(state),), t + 1 >= self.horizon, device=state.device)
        reached = self.distance(self.observe(new)) <= self.tolerance
        return Step(new, (reached & over).to(state), torch.zeros_like(over), over)

    def reward(
        self, seen: Float[Tensor, "N 6"], action: Float[Tensor, "N 2"], after: Float[Tensor, "N 6"]
    ) -> Float[Tensor, "N"]:
        """Nothing, before the end."""
        return torch.zeros_like(after[:, 0])

    def ended(self, after: Float[Tensor, "N 6"]) -> Bool[Tensor, "N"]:
        """Only time ends an episode."""
        return torch.zeros_like(after[:, 0], dtype=torch.bool)

    def distance(self, observation: Float[Tensor, "*N 6"]) -> Float[Tensor, "*N"]:
        """From the stone to the goal."""
        return observation[..., 4:].norm(dim=-1)

    def position(self, observation: Float[Tensor, "*N 6"]) -> Float[Tensor, "*N 2"]:
        """The stone's."""
        return observation[..., :2]

    def effort(self, action: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N"]:
        return self.action.clip(action).square().sum(dim=-1)

    def picture(self, episode: Episode) -> dict[str, Any]:
        """The way of the stone, the border, the line, and the goal."""
        path = self.position(episode.observations)
        walls = [[-1, -1, 1, -1], [-1, 1, 1, 1], [-1, -1, -1, 1], [1, -1, 1, 1], [LINE, -1, LINE, 1]]
        goal = (path[-1] + episode.observations[-1, 4:]).tolist()
        return {"kind": "trajectory", "positions": path.tolist(), "walls": walls, "goal": goal}


def aimed(world: Sliding, observation: Float[Tensor, "N 6"]) -> Float[Tensor, "N 2"]:
    """The command of one who knows the friction: straight to the goal, at the speed that takes the stone there."""
    stone, _, to_go = observation.split(2, dim=1)
    away = to_go.norm(dim=1, keepdim=True)
    before = (LINE - stone[:, :1]).clamp(min=0) / to_go[:, :1].clamp(min=1e-9)  # share of the way in the hand
    behind = away * (1 - before)
    # s² / (2 friction) - s / 2 = behind
    pace = world.friction / 2 + (world.friction**2 / 4 + 2 * world.friction * behind).sqrt()
    return (to_go / away.clamp(min=1e-9) * pace / SPEED).clamp(-1, 1)
