"""Every denoising step is one formula; this file is its table. Not the network and not the loop.

    x' = w0·x̂0 + w1·x̂1 + s·z        z ~ N(0, I)

from time t to t' < t, δ = t - t', with (α, σ) at t and (α', σ') at t'; x̂0 and x̂1 are the network's estimates of data
and noise (`models.schedules`).

    rule             w0     w1                  s
    ode              α'     σ'                  0
    ddim(eta)        α'     √(σ'² - s²)         eta·σ'·√(1 - (α·σ' / (α'·σ))²)
    ddpm             ddim(1)
    flow_sde(a)      1-t'   t' - g²·δ/(2t)      g·√δ,  g = a·√(t/(1 - t))
    dance_sde(eta)   1-t'   t' - eta²·δ/(2t)    eta·√δ
    cps(a)           α'     σ'·cos(π·a/2)       σ'·sin(π·a/2)
    flow_noise       α'     σ'                  σ_φ(x, t, class), learned and bounded

A step with s = 0 is not a decision: it has no density, and the policy leaves it off the mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from rlft.models.schedules import ROUNDING, RectifiedFlow, Schedule
from rlft.types import UserError


class Weights(NamedTuple):
    """The three numbers of one step for each row: [N], or for `s` [N, *S] where each dimension has its own."""

    w0: Tensor
    w1: Tensor
    s: Tensor


@runtime_checkable
class NoiseRule(Protocol):
    """How a step is taken. Fixed rules look at the times alone; a learned one also at the state, and at what the
    network is told: class numbers, or what a control policy observes."""

    def __call__(
        self,
        schedule: Schedule,
        t: Float[Tensor, "N"],
        t_next: Float[Tensor, "N"],
        x: Float[Tensor, "N *S"],
        label: Num[Tensor, "N *C"],
        /,
    ) -> Weights: ...


@dataclass(frozen=True)
class FixedRule:
    """A rule whose weights depend on the times alone: `of(schedule, t, t_next)`, under the name it has in papers."""

    name: str
    of: Callable[[Schedule, Tensor, Tensor], Weights]

    def __call__(self, schedule: Schedule, t: Tensor, t_next: Tensor, *state: Tensor) -> Weights:
        return self.of(schedule, t, t_next)


def _ode(schedule: Schedule, t: Tensor, t_next: Tensor) -> Weights:
    alpha, sigma = schedule.weights(t_next)
    return Weights(alpha, sigma, torch.zeros_like(t_next))


def ode() -> FixedRule:
    """No noise: DDIM with η = 0 (Song et al. 2020, arXiv:2010.02502), and for rectified flow Euler's method."""
    return FixedRule("ode", _ode)


def ddim(eta: float) -> FixedRule:
    """DDIM with noise (Song et al. 2020, arXiv:2010.02502, Eq. 16), for any schedule.

    s = η·σ'·√(1 - (α·σ' / (α'·σ))²), which for a variance-preserving schedule is η·(σ'/σ)·√(1 - α²/α'²). η = 0 is
    `ode`, η = 1 is `ddpm`. The last step has σ' = 0, so it is deterministic.
    """
    if not 0 <= eta <= 1:
        raise UserError(f"ddim(eta={eta}): eta lies between 0 (no noise) and 1 (DDPM); more exceeds the noise at t'")

    def of(schedule: Schedule, t: Tensor, t_next: Tensor) -> Weights:
        (alpha, sigma), (alpha_next, sigma_next) = schedule.weights(t), schedule.weights(t_next)
        s = eta * sigma_next * (1 - (alpha * sigma_next / (alpha_next * sigma)) ** 2).clamp(min=0).sqrt()
        return Weights(alpha_next, (sigma_next**2 - s**2).clamp(min=0).sqrt(), s)

    return FixedRule(f"ddim({eta})", of)


def ddpm() -> FixedRule:
    """The posterior q(x' | x, x̂0) of Ho et al. 2020 (arXiv:2006.11239, Eq. 7): `ddim(1)`."""
    return FixedRule("ddpm", ddim(1.0).of)


def _straight(schedule: Schedule, rule: str) -> None:
    if not isinstance(schedule, RectifiedFlow):
        raise UserError(f"{rule} is written for rectified flow, not for {schedule}: use ddim, ddpm or cps there")


def flow_sde(a: float) -> FixedRule:
    """Flow-GRPO's SDE (Liu et al. 2025, arXiv:2505.05470), also π_RL's Flow-SDE: g = a·√(t / (1 - t)).

    At t = 1 the divisor is 1 - t' of that same step, as in the authors' code. Has the ODE's marginals as steps grow;
    a = 0 is `ode`. The last step is noisy too (s > 0 at t' = 0).
    """
    if a < 0:
        raise UserError(f"flow_sde(a={a}): the noise level is not negative")

    def of(schedule: Schedule, t: Tensor, t_next: Tensor) -> Weights:
        _straight(schedule, "flow_sde")
        delta = t - t_next
        square = a**2 * t / (1 - torch.where(t >= 1 - ROUNDING, t_next, t))
        return Weights(1 - t_next, t_next - square * delta / (2 * t), (square * delta).sqrt())

    return FixedRule(f"flow_sde({a})", of)


def dance_sde(eta: float) -> FixedRule:
    """DanceGRPO's SDE of constant noise (Xue et al. 2025, arXiv:2505.07818): g = η. η = 0 is `ode`."""
    if eta < 0:
        raise UserError(f"dance_sde(eta={eta}): the noise level is not negative")

    def of(schedule: Schedule, t: Tensor, t_next: Tensor) -> Weights:
        _straight(schedule, "dance_sde")
        delta = t - t_next
        return Weights(1 - t_next, t_next - eta**2 * delta / (2 * t), eta * delta.sqrt())

    return FixedRule(f"dance_sde({eta})", of)


def cps(a: float) -> FixedRule:
    """Coefficients-preserving sampling (Wang and Yu 2025, arXiv:2509.05952): part of the noise is drawn anew.

    w1² + s² = σ'², so the noise level of the state stays what the network expects, but the marginals are not kept
    as steps grow (data come out too narrow). a = 0 is `ode`, a = 1 draws all of the noise anew. Last step: s = 0.
    """
    if not 0 <= a <= 1:
        raise UserError(f"cps(a={a}): the share of noise lies between 0 and 1")

    def of(schedule: Schedule, t: Tensor, t_next: Tensor) -> Weights:
        alpha, sigma = schedule.weights(t_next)
        return Weights(alpha, sigma * math.cos(math.pi * a / 2), sigma * math.sin(math.pi * a / 2))

    return FixedRule(f"cps({a})", of)


def between(low: float, high: float, rule: FixedRule) -> FixedRule:
    """`rule` for steps that start at low < t <= high, `ode` elsewhere: the window of MixGRPO (Li et al. 2025,
    arXiv:2507.21802) and Flow-GRPO-Fast. `between(0, 1, rule)` is `rule`. A time within 1e-6 of a bound is on it."""
    if not 0 <= low < high <= 1:
        raise UserError(f"between({low}, {high}): a window of time has 0 <= low < high <= 1")

    def of(schedule: Schedule, t: Tensor, t_next: Tensor) -> Weights:
        inside = (low + ROUNDING < t) & (t <= high + ROUNDING)
        noisy, plain = rule.of(schedule, t, t_next), _ode(schedule, t, t_next)
        return Weights(*(torch.where(inside, one, other) for one, other in zip(noisy, plain, strict=True)))

    return FixedRule(f"between({low}, {high}, {rule.name})", of)


class FlowNoise(nn.Module):
    """The ODE's step with learned noise: ReinFlow (Zhang et al. 2025, arXiv:2505.22094), π_RL's Flow-Noise
    (arXiv:2510.25889).

    log s = log √(low·high) + log √(high/low)·tanh(head(x, t, class)), so low <= s <= high for each dimension of
    x'. The head belongs to the rule: its weights are trained with the policy's, and a deployment policy with another
    rule leaves them behind. low = high is a fixed noise. Every step is a decision, the last one too.
    """

    def __init__(self, head: nn.Module, low: float, high: float):
        super().__init__()
        if not 0 < low <= high:
            raise UserError(f"FlowNoise(low={low}, high={high}): the noise has bounds 0 < low <= high")
        self.head, self.low, self.high = head, low, high

    def forward(self, schedule: Schedule, t: Tensor, t_next: Tensor, x: Tensor, label: Tensor) -> Weights:
        alpha, sigma = schedule.weights(t_next)
        centre, reach = math.log(self.low * self.high) / 2, math.log(self.high / self.low) / 2
        return Weights(alpha, sigma, (centre + reach * self.head(x, t.to(x), label).tanh()).exp())


def flow_noise(head: nn.Module, low: float = 0.08, high: float = 0.16) -> FlowNoise:
    """`FlowNoise` between the bounds of π_RL; `models.denoiser.NoiseHead` makes a head."""
    return FlowNoise(head, low, high)
