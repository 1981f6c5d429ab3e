"""Deterministic steps that look back: multistep solvers of the ODE. No density, so only for rows that decide nothing.

Per-step coefficients in float64 from the schedule; a solver knows no network, and is handed what it predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.models.schedules import Schedule


@dataclass(frozen=True)
class Past:
    """What is behind a step: the state that the last one began from, and the samples predicted there and before."""

    x: Float[Tensor, "N *S"]
    clean: tuple[Float[Tensor, "N *S"], ...]


@dataclass(frozen=True)
class UniPC:
    """UniPC of orders 1 and 2 for predicted samples, B(h) = e^h - 1 (Zhao et al. 2023, arXiv:2302.04867).

    With λ = log α/σ, h = λ_t - λ_s, φ = e^-h - 1 and r = (λ_r - λ_s)/h of the step r before s, a step from s to t is

        x_t = σ_t/σ_s x_s - α_t φ (m_s + 1/2 (m_r - m_s)/r),

    of first order without its last term. Where x_t was predicted so, and the network has seen it and says m_t, it is
    put right before the next step: by -α_t φ (m_s + 1/2 (m_t - m_s)) in the first order, in the second by
    -α_t φ (m_s + ρ_1 (m_r - m_s)/r + ρ_2 (m_t - m_s)), with ρ_1 + ρ_2 and r ρ_1 + ρ_2 so that both fit the integral.
    The first and the last step are of first order. The last ends at σ = 0 in the sample that was predicted.
    """

    schedule: Schedule
    times: Float[Tensor, "K1"]

    def step(
        self, k: int, x: Float[Tensor, "N *S"], clean: Float[Tensor, "N *S"], past: Past | None
    ) -> tuple[Float[Tensor, "N *S"], Past]:
        """The state that step k leads to from x, where the network predicts `clean`, and what is then behind."""
        start = x if past is None else self._corrected(k, clean, past)
        begun = () if past is None else past.clean[-1:]
        ahead = self._moved(k, start, clean, begun if self._order(k) == 2 else ())
        return ahead, Past(start, (*begun, clean))

    def _order(self, k: int) -> int:
        """Of step k of K."""
        return 2 if 0 < k < len(self.times) - 2 else 1

    def _moved(self, k: int, x: Tensor, clean: Tensor, before: tuple[Tensor, ...]) -> Tensor:
        shrink, gain, _ = self._weights(k)
        moved = shrink * x - gain * clean
        return moved - gain / (2 * self._ratio(k)) * (before[0] - clean) if before else moved

    def _corrected(self, k: int, clean: Tensor, past: Past) -> Tensor:
        """The state at k as it would have been stepped to, had the network been asked there."""
        shrink, gain, h = self._weights(k - 1)
        moved = shrink * past.x - gain * past.clean[-1]
        if self._order(k - 1) == 1:
            return moved - gain / 2 * (clean - past.clean[-1])
        ratio, (first, second) = self._ratio(k - 1), _fitted(self._ratio(k - 1), h)
        moved = moved - gain * first / ratio * (past.clean[0] - past.clean[-1])
        return moved - gain * second * (clean - past.clean[-1])

    def _weights(self, k: int) -> tuple[float, float, float]:
        """σ_t/σ_s, α_t (e^-h - 1) and h of step k."""
        (alpha, sigma), (alpha_s, sigma_s) = (self._levels(self.times[place]) for place in (k + 1, k))
        if sigma == 0:
            return 0.0, -float(alpha), float("inf")
        h = (alpha / sigma).log() - (alpha_s / sigma_s).log()
        return float(sigma / sigma_s), float(alpha * torch.expm1(-h)), float(h)

    def _levels(self, time: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma = self.schedule.weights(time.double())
        return alpha.clamp(min=1e-300), sigma

    def _ratio(self, k: int) -> float:
        """r of step k."""
        levels = [self._levels(self.times[place]) for place in (k - 1, k, k + 1)]
        before, now, after = ((alpha / sigma).log() for alpha, sigma in levels)
        return float((before - now) / (after - now))


def _fitted(ratio: float, h: float) -> tuple[float, float]:
    """ρ of the second order's correction: ρ_1 + ρ_2 = b_1, r ρ_1 + ρ_2 = b_2, b_i = i! φ_{i+1}(-h) (-h) / (e^-h - 1).

    φ_1(z) = (e^z - 1)/z, φ_{i+1}(z) = (φ_i(z) - 1/i!)/z.
    """
    z = -h
    grown = torch.expm1(torch.tensor(z, dtype=torch.float64)).item()
    second = (grown / z - 1) / z
    third = (second - 0.5) / z
    one, two = (z * second / grown, 2 * z * third / grown)
    share = (two - one) / (ratio - 1)
    return share, one - share
