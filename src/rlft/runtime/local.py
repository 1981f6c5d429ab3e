"""One process: the specification of the three verbs. Every other runtime must give these numbers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from rlft.types import Problem, Rollouts, Sampler, UserError


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

    def shard(self, blocks: Sequence[torch.nn.Module]) -> None:
        """There is nobody to share with."""
        raise UserError("one process cannot shard a model: start with torchrun --nproc-per-node N -m rlft …")

    def norm(self, gradients: Sequence[Tensor]) -> float:
        """The norm of all gradients together."""
        return float(torch.nn.utils.get_total_norm(gradients))

    def gathered(self) -> AbstractContextManager[None]:
        """They are whole."""
        return nullcontext()

    def whole(self, state: Any) -> Any:
        """The state itself."""
        return state

    def spread(self, state: Any, like: Any) -> Any:
        """The state itself."""
        return state
