"""A weight that adjusts itself until a constraint is met. Not a schedule: it follows what is measured."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.types import UserError


class Dual(nn.Module):
    """The multiplier w > 0 of a constraint on a measured number m, in dual ascent on log w.

        at least target   w grows while m < target: SAC's temperature for the entropy (arXiv:1812.05905, Sec. 5)
        at most target    w grows while m > target: CQL's Lagrange weight (arXiv:2006.04779, App. F), a KL bound

    lr=0 keeps the weight where it starts.
    """

    def __init__(self, start: float, target: float, sign: float, lr: float) -> None:
        super().__init__()
        if start <= 0 or lr < 0:
            raise UserError(f"a weight starts above 0 and has a rate of at least 0, not {start} and {lr}")
        self.log_value = nn.Parameter(torch.tensor(math.log(start)))
        self.target, self.sign, self.lr = target, sign, lr

    @classmethod
    def at_least(cls, target: float, start: float = 1.0, lr: float = 3e-4) -> Dual:
        """For m ≥ target."""
        return cls(start, target, 1.0, lr)

    @classmethod
    def at_most(cls, target: float, start: float = 1.0, lr: float = 3e-4) -> Dual:
        """For m ≤ target."""
        return cls(start, target, -1.0, lr)

    @property
    def value(self) -> Float[Tensor, ""]:
        """The weight, without gradient."""
        return self.log_value.detach().exp()

    def pull(self, measured: Float[Tensor, ""]) -> None:
        """Set the gradient of log w, for an optimiser to descend."""
        self.log_value.grad = self.sign * (measured.detach() - self.target).to(self.log_value)
