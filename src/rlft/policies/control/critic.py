"""What a critic of observations says at the decisions of episodes, and beyond where they were cut off. No network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.environments.play import Played
from rlft.types import Rollouts

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Judge:
    """A critic of an environment with this horizon; float64 whatever its weights are.

    network   [… O + clock] -> [… 1]
    clock     it also sees the share of the horizon that has passed, and then the horizon is the task's own end
              (Pardo et al. 2018, arXiv:1712.00378, Sec. 3)
    """

    network: Network
    clock: bool
    horizon: int

    def values(self, seen: Float[Tensor, "*N O"], clock: Float[Tensor, "*N"]) -> Float[Tensor, "*N"]:
        """The estimate in states seen at these shares of the horizon."""
        given = torch.cat([seen.double(), clock[..., None]], dim=-1) if self.clock else seen.double()
        return self.network(given)[..., 0]

    def of(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The estimate of the reward from each decision to the episode's end; 0 off the mask."""
        return torch.where(rollouts.mask, self.values(rollouts.trace["observations"], rollouts.trace["clock"]), 0)

    def beyond(self, played: Played, decisions: int) -> Float[Tensor, "N D"]:
        """The estimate of the state in which an episode was cut off, at its last decision; NaN elsewhere."""
        rows = torch.arange(len(played.length), device=played.length.device)
        cut = played.truncated & ~played.terminated
        if self.clock:
            cut &= played.length < self.horizon
        last, clock = played.observations[rows, played.length], played.length.double() / self.horizon
        beyond = last.new_full((len(rows), decisions), torch.nan, dtype=torch.float64)
        values = torch.where(cut, self.values(last, clock), torch.nan)
        beyond[rows, (played.length - 1) // played.chunk] = values
        return beyond
