"""A Gaussian whose noise is the same in every dimension of a row: that of fixed rules, for large states."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.policies.stepwise.stepwise import step_noise


@dataclass(frozen=True)
class Even:
    """The next state of M rows: mean [M, *S], and s [M] in float64. A row whose s is 0 is not a decision.

    What `stepwise.Gaussian` is with s in every place, without tensors of the state's size for it. Squares are the
    states' type and add up in float64.
    """

    mean: Float[Tensor, "M *S"]
    s: Float[Tensor, "M"]
    scale: float

    @property
    def stochastic(self) -> Bool[Tensor, "M"]:
        """The rows that are decisions."""
        return self.s > 0

    def __getitem__(self, rows: Tensor) -> Even:
        """Some of the rows."""
        return Even(self.mean[rows], self.s[rows], self.scale)

    def noise(self, keys: Int[Tensor, "M"], k: int) -> Float[Tensor, "M *S"]:
        """Standard normal, float64, from ACTION at k."""
        return step_noise(keys, k, self.mean.shape[1:])

    def draw(self, z: Float[Tensor, "M *S"]) -> Float[Tensor, "M *S"]:
        """The next state for this standard normal noise."""
        return self.mean + self.s.to(self.mean).view(-1, *[1] * (self.mean.dim() - 1)) * z.to(self.mean)

    def log_prob(self, x: Float[Tensor, "M *S"]) -> Float[Tensor, "M"]:
        """-|x - μ|²/(2s²) - E·(log s + ½·log 2π), times the event's scale, in float64; 0 where a row is no decision."""
        apart, size = self._squares(x - self.mean), math.prod(self.mean.shape[1:])
        s = self._safe(self.s)
        each = -apart / (2 * s.square()) - size * (s.log() + math.log(2 * math.pi) / 2)
        return torch.where(self.stochastic, self.scale * each, 0)

    def kl(self, other: Even) -> Float[Tensor, "M"]:
        """KL(self ‖ other) = E·(log(s'/s) + s²/(2s'²) - ½) + |μ - μ'|²/(2s'²), times the event's scale, in float64."""
        size = math.prod(self.mean.shape[1:])
        s, theirs = self._safe(self.s), self._safe(other.s)
        even = size * ((theirs / s).log() + s.square() / (2 * theirs.square()) - 0.5)
        return torch.where(
            self.stochastic, self.scale * (even + self._squares(self.mean - other.mean) / (2 * theirs.square())), 0
        )

    def _safe(self, s: Tensor) -> Tensor:
        """That divides without infinities, so that the others' gradient is 0."""
        return torch.where(self.stochastic, s, 1)

    @staticmethod
    def _squares(apart: Tensor) -> Float[Tensor, "M"]:
        return apart.square().flatten(1).sum(dim=1, dtype=torch.float64)
