"""The least KL to a start at which a reward can be had: what a policy's own KL is compared with. Trains nothing."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.types import UserError


def least_kl(prior: Float[Tensor, "M"], rewards: Float[Tensor, "M"], mean: float) -> float:
    """min KL(p || prior) in nats over all p with E_p[r] >= mean; `prior` are weights of the M outcomes, up to a factor.

    It is had by p ∝ prior exp(t r) (Csiszár 1975, "I-divergence geometry"), with t >= 0 found by bisection in float64.
    0 for a mean that the prior has; minus the log of the best outcomes' prior for their reward; `UserError` beyond. An
    outcome may stand for many rows of one reward: to tell them apart could only add to the KL.
    """
    weight, rewards = prior.double() / prior.double().sum(), rewards.double()
    most = float(rewards[weight > 0].max())
    if mean > most:
        raise UserError(f"no outcome that the prior has earns {mean:g}; the best earns {most:g}")

    def tilted(t: float) -> Tensor:
        return (weight.log() + t * rewards).softmax(0)

    if mean <= float((weight * rewards).sum()):
        return 0.0
    low, high = 0.0, 1.0
    while float((tilted(high) * rewards).sum()) < mean and high < 2**20:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float((tilted(middle) * rewards).sum()) < mean else (low, middle)
    p = tilted(high)
    return float(torch.where(p > 0, p * (p / weight).log(), 0).sum())
