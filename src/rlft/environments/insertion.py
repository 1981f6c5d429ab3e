"""The tip of an arm in the plane that has to be pushed into a slot. The smallest task that a slip ends for good."""

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
SPEED, LAG = 0.08, 0.5
# The face of the block, half the width of the slot in it, and how deep the tip has to go.
FACE, HALF, DEPTH = 0.5, 0.1, 0.15


@dataclass(frozen=True)
class Insertion:
    """A tip that follows commanded velocities a little late, in the square [-1, 1]²; a block stands from x = FACE on.

        v' = (1 - LAG) v + LAG SPEED a
        p' = p + v'                             within the border, and inside the slot between its walls
        reward = 1[x' ≥ FACE + DEPTH]           and the episode ends
        jam    = the face is met outside the slot: the episode ends, and earns nothing

    The state is (x, y, vx, vy, h), h the height of the slot, and the observation (x, y, vx, vy, h - y). The start is at
    rest in a strip along the left border; h is uniform on both sides of the middle, |h| within `slots`, so that worlds
    with other `slots` have positions that nobody was shown.

    slots   least and largest distance of the slot from the middle
    """

    slots: tuple[float, float] = (0.0, 0.3)
    horizon: int = 64

    name: str = field(default="insertion", init=False, repr=False)
    observation_size: int = field(default=5, init=False, repr=False)
    action: Box = field(default=Box(low=(-1.0, -1.0), high=(1.0, 1.0)), init=False, repr=False)
    tolerance: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        least, most = self.slots
        if not 0 <= least < most <= 1 - HALF or self.horizon < 1:
            raise UserError(
                f"slots are (least, largest) distance from the middle within [0, {1 - HALF}], and the horizon at least "
                f"1 step; got {self.slots} and {self.horizon}"
            )

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N 5"]:
        u = uniform(keys, 4, ENVIRONMENT)
        still, (least, most) = 0 * u[:, 0], self.slots
        height = torch.where(u[:, 2] < 0.5, -1.0, 1.0) * (least + (most - least) * u[:, 3])
        return torch.stack([-0.9 + 0.3 * u[:, 0], -0.7 + 1.4 * u[:, 1], still, still, height], dim=1)

    def observe(self, state: Float[Tensor, "N 5"]) -> Float[Tensor, "N 5"]:
        return torch.cat([state[:, :4], state[:, 4:] - state[:, 1:2]], dim=1)

    def step(self, state: Float[Tensor, "N 5"], action: Float[Tensor, "N 2"], t: int, keys: Int[Tensor, "N"]) -> Step:
        here, slot = state[:, :2], state[:, 4]
        velocity = (1 - LAG) * state[:, 2:4] + LAG * SPEED * self.action.clip(action).to(state)
        there = (here + velocity).clamp(-1, 1)
        jammed = self._meets(here, there, slot)
        beside = (there[:, 1] - slot).clamp(-HALF, HALF) + slot
        there[:, 1] = torch.where((there[:, 0] > FACE) & ~jammed, beside, there[:, 1])
        there[:, 0] = torch.where(jammed, there[:, 0].clamp(max=FACE), there[:, 0])
        new = torch.cat([there, there - here, slot[:, None]], dim=1)
        reached = self.distance(new) <= self.tolerance
        over = reached | jammed
        return Step(new, reached.to(state), over, torch.full_like(over, t + 1 >= self.horizon) & ~over)

    def _meets(self, here: Tensor, there: Tensor, slot: Float[Tensor, "N"]) -> Bool[Tensor, "N"]:
        """Whether the straight move comes to the face outside the slot."""
        crosses = (here[:, 0] <= FACE) & (there[:, 0] > FACE)
        run = torch.where(crosses, there[:, 0] - here[:, 0], 1)
        at = here[:, 1] + (there[:, 1] - here[:, 1]) * (FACE - here[:, 0]) / run
        return crosses & ((at - slot).abs() > HALF)

    def distance(self, observation: Float[Tensor, "*N 5"]) -> Float[Tensor, "*N"]:
        """How far the tip still has to go into the slot; a jammed one has all of the depth before it."""
        return (FACE + DEPTH - observation[..., 0]).clamp(min=0)

    def position(self, observation: Float[Tensor, "*N 5"]) -> Float[Tensor, "*N 2"]:
        return observation[..., :2]

    def effort(self, action: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N"]:
        return self.action.clip(action).square().sum(dim=-1)

    def picture(self, episode: Episode) -> dict[str, Any]:
        """The way of the tip, the border, and the block with its slot."""
        height = float(episode.observations[0, 4] + episode.observations[0, 1])
        low, high, end = height - HALF, height + HALF, FACE + DEPTH
        walls = [[-1, -1, 1, -1], [-1, 1, 1, 1], [-1, -1, -1, 1], [1, -1, 1, 1]]
        walls += [[FACE, -1, FACE, low], [FACE, high, FACE, 1], [FACE, low, end, low], [FACE, high, end, high]]
        path = self.position(episode.observations).tolist()
        return {"kind": "trajectory", "positions": path, "walls": walls, "goal": [end, height]}
