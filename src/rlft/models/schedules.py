"""What a denoiser was trained with: how data is noised, and what the network predicts. Not how it is sampled.

Time runs from t = 1, noise, to t = 0, data:  x_t = α(t)·x0 + σ(t)·x1,  x1 ~ N(0, I).  Samplers choose their steps
from any schedule (`policies.stepwise.noise_rules`); the weights of a network only make sense with the schedule and the
prediction that they were trained with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.types import UserError


@runtime_checkable
class Schedule(Protocol):
    """The mixing weights of data and noise at each time, and where a sampler's steps stand by default."""

    def weights(self, t: Float[Tensor, "*B"]) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
        """(α, σ) at time t."""
        ...

    def times(self, steps: int) -> Float[Tensor, "K1"]:
        """steps + 1 times in float64, from exactly 1 down to exactly 0."""
        ...


# Times that others computed, in float32 say, miss a bound by their rounding: this close they stand on it.
ROUNDING = 1e-6


def _uniform_times(steps: int) -> Float[Tensor, "K1"]:
    if steps < 1:
        raise UserError(f"a sampler takes at least one step, not {steps}")
    return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


@dataclass(frozen=True)
class Cosine:
    """The variance-preserving cosine schedule (Nichol and Dhariwal 2021, arXiv:2102.09672, without its offset).

    α = cos(c·t), σ = sin(c·t), so α² + σ² = 1 and α² is DDPM's ᾱ. `last` = α(1) > 0: at α = 0 a predicted noise
    says nothing about the data, and an error of the predicted noise is 1/`last` times as large in x̂0 at the first
    step. On the other hand the marginal at t = 1 differs from the N(0, I) that sampling starts from by `last`² in
    variance. On digits, 0.1 suits `EPS` best; `V` does not mind smaller ones.
    """

    last: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.last < 1:
            raise UserError(f"Cosine(last={self.last}): the data's weight at t = 1 lies between 0 and 1")

    def weights(self, t: Float[Tensor, "*B"]) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
        """(α, σ) at time t."""
        angle = math.acos(self.last) * t
        return angle.cos(), angle.sin()

    def times(self, steps: int) -> Float[Tensor, "K1"]:
        """Evenly spaced from 1 to 0."""
        return _uniform_times(steps)


@dataclass(frozen=True)
class RectifiedFlow:
    """The straight line between data and noise (Liu et al. 2022, arXiv:2209.03003): α = 1 - t, σ = t.

    `shift` moves the sampler's steps towards the noise, t -> shift·t / (1 + (shift - 1)·t) (Esser et al. 2024,
    arXiv:2403.03206, Eq. 23); 1 leaves them evenly spaced.
    """

    shift: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.shift < math.inf:
            raise UserError(f"RectifiedFlow(shift={self.shift}): the shift is a positive number; 1 is none")

    def weights(self, t: Float[Tensor, "*B"]) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
        """(α, σ) at time t."""
        return 1 - t, t

    def times(self, steps: int) -> Float[Tensor, "K1"]:
        """From 1 to 0, evenly spaced before the shift."""
        t = _uniform_times(steps)
        shifted = self.shift * t / (1 + (self.shift - 1) * t)
        shifted[0] = 1  # which the quotient misses by a rounding for many a shift
        return shifted


@dataclass(frozen=True)
class Prediction:
    """What the network's output y estimates, as a mixture of data and noise: y = a·x0 + b·x1.

    With x = α·x0 + σ·x1 that is two equations for two unknowns, so one adapter serves every kind of network:

        x̂0 = (b·x - σ·y) / (α·b - σ·a)        x̂1 = (α·y - a·x) / (α·b - σ·a)

    `mix(α, σ)` gives (a, b). `EPS`, `X0`, `V` and `VELOCITY` are the ones in use.
    """

    name: str
    mix: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

    def target(self, x0: Float[Tensor, "*B"], x1: Float[Tensor, "*B"], alpha: Tensor, sigma: Tensor) -> Tensor:
        """What the network should have said for this data and this noise."""
        a, b = self.mix(alpha, sigma)
        return a * x0 + b * x1

    def estimates(
        self, x: Float[Tensor, "*B"], y: Float[Tensor, "*B"], alpha: Tensor, sigma: Tensor
    ) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
        """(x̂0, x̂1) from the state x and the network's output y. Infinite where x says nothing about one of them and
        y is the other: `EPS` at α = 0, `X0` at σ = 0."""
        a, b = self.mix(alpha, sigma)
        det = alpha * b - sigma * a
        return (b * x - sigma * y) / det, (alpha * y - a * x) / det


def _noise(alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    return torch.zeros_like(alpha), torch.ones_like(sigma)


def _data(alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    return torch.ones_like(alpha), torch.zeros_like(sigma)


def _v(alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    return -sigma, alpha


def _velocity(alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    return -torch.ones_like(alpha), torch.ones_like(sigma)


EPS = Prediction("eps", _noise)
"""The noise (Ho et al. 2020, arXiv:2006.11239)."""
X0 = Prediction("x0", _data)
"""The clean data."""
V = Prediction("v", _v)
"""α·x1 - σ·x0 (Salimans and Ho 2022, arXiv:2202.00512)."""
VELOCITY = Prediction("velocity", _velocity)
"""x1 - x0, rectified flow's dx/dt (Liu et al. 2022, arXiv:2209.03003)."""
