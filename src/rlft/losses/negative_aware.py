"""Regression to what is good and away from what is not, without likelihoods: negative-aware fine-tuning. Zheng et al.
2025, "DiffusionNFT: Online Diffusion Reinforcement with Forward Process", arXiv:2509.16117."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

# Of the mean distance that an error is divided by.
_LEAST = 1e-5


def optimality(advantages: Float[Tensor, "N"], largest: float) -> Float[Tensor, "N"]:
    """The probability that a row is a good one: 1/2 + A / (2 largest), between 0 and 1."""
    return (0.5 + advantages / (2 * largest)).clamp(0, 1)


def negative_aware(
    said: Float[Tensor, "N L *S"],
    before: Float[Tensor, "N L *S"],
    data: Float[Tensor, "N *S"],
    good: Float[Tensor, "N"],
    beta: float,
) -> Float[Tensor, "N L"]:
    """r d(x⁺) + (1 - r) d(x⁻) of predictions x̂0 of the data, float64.

        x± = x_before ± beta (x_said - x_before),    d(x) = mean (x - x0)² / mean |x - x0|, which has no gradient

    x⁺ is to come to the data where the row is good, and x⁻, the other way, where it is not, so that bad rows push.
    `before` are the predictions of the network that drew the rows; there d is the same on both sides and the gradient
    is (2r - 1) beta ∇d: of r = 1/2 none. With r = 1 and beta = 1 it is the denoising loss on one's own samples.
    """
    said, before = said.double(), before.double()
    step, x0 = beta * (said - before), data.double()[:, None]
    good = good.double()[:, None]
    return good * _distance(before + step, x0) + (1 - good) * _distance(before - step, x0)


def _distance(x: Tensor, x0: Tensor) -> Float[Tensor, "N L"]:
    error = (x - x0).flatten(2)
    return error.square().mean(-1) / error.detach().abs().mean(-1).clamp(min=_LEAST)
