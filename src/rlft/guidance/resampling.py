"""Weighted particles: pick one, draw a population anew, say how many it is worth. Pure tensor functions of noise."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def weights_of(values: Float[Tensor, "*B M"], alpha: float) -> Float[Tensor, "*B M"]:
    """exp(v/α)/Σ exp(v/α) along the last axis, float64; α = 0 shares everything over the largest, α = ∞ over all.

    A value that is NaN has weight 0, unless all are or α = ∞: then all weights are equal.
    """
    v = values.double().nan_to_num(nan=-1e300)
    return ((v - v.amax(dim=-1, keepdim=True)) / max(alpha, 1e-300)).softmax(dim=-1)


def pick(weights: Float[Tensor, "N M"], u: Float[Tensor, "N"]) -> Int[Tensor, "N"]:
    """One of M for each row, with the chances of its weights, which add up to 1; `u` is uniform on (0, 1)."""
    # what rounding leaves above the last sum must not pick a choice of weight 0
    reached = weights.cumsum(dim=1)
    return (reached / reached[:, -1:] <= u[:, None]).sum(dim=1)


def systematic(weights: Float[Tensor, "P B"], count: int, u: Float[Tensor, "P"]) -> Int[Tensor, "P C"]:
    """`count` of B particles of each population: those where (u + 0, 1, …)/count falls among the cumulated weights.

    Systematic resampling (Carpenter et al. 1999): particle i comes count·w_i times on average, and always that number
    rounded down or up. Equal weights and count = B leave every particle where it is.
    """
    reached = weights.cumsum(dim=1)
    reached = (reached / reached[:, -1:]).contiguous()
    at = (torch.arange(count, device=u.device) + u[:, None].double()) / count
    return torch.searchsorted(reached, at.contiguous(), right=True).clamp(max=weights.shape[1] - 1)


def effective(weights: Float[Tensor, "P B"]) -> Float[Tensor, "P"]:
    """1/Σ w², the effective sample size of weights that add up to 1: between 1 and B."""
    return 1 / weights.double().square().sum(dim=1)
