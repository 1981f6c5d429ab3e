"""One process: the specification of the three verbs. Every other runtime must give these numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlft.types import Problem, Rollouts, Sampler


class Local:
    """This process alone."""

    rank = 0
    world = 1
    lockstep = False

    def sample(self, policy: Sampler, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """All rollouts, placed in order."""
        rollouts = policy.sample(problems, group, seed)
        return rollouts.fill(position=torch.arange(len(rollouts)))

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Nothing to add."""

    def gather(self, column: Tensor) -> Tensor:
        """The column itself."""
        return column
