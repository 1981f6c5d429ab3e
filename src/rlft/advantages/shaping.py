"""Rewards of decisions, and normalisation over all decisions of a batch."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlft.losses.divergence import kl_k1
from rlft.types import Rollouts, Runtime


def rewards_of_decisions(rollouts: Rollouts, beta: float = 0.0) -> Float[Tensor, "N D"]:
    """The reward of each decision: `reward_at` where there is one, else the row's reward at its last decision.

    With `beta` > 0 each decision also pays beta log(pi_old / pi_ref). NaN (an unscored row) stays NaN in the row.
    """
    mask = rollouts.mask
    if rollouts.has("reward_at"):
        reward = torch.where(mask, rollouts.reward_at, 0)
    else:
        place = torch.arange(mask.shape[1], device=mask.device)
        last = torch.where(mask, place, -1).amax(1, keepdim=True)
        reward = torch.where(place == last, rollouts.rewards[:, None], 0)
    if beta:
        reward = reward - beta * kl_in_reward(rollouts)
    return reward.masked_fill(rollouts.rewards.isnan()[:, None], torch.nan)


def kl_in_reward(rollouts: Rollouts) -> Float[Tensor, "N D"]:
    """log(pi_old / pi_ref) of each decision, 0 off the mask: the k1 estimate, which is the right one in a reward."""
    return torch.where(rollouts.mask, kl_k1(rollouts.logp_old, rollouts.logp_ref), 0)


def whiten(values: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"], runtime: Runtime) -> Float[Tensor, "N D"]:
    """(x - mean) / std over the decisions on the mask, of all processes; NaN passed over, 0 if all are equal."""
    on = mask & values.isfinite()
    kept = torch.where(on, values, 0).double()
    moments = torch.stack([on.sum().double(), kept.sum()])
    runtime.sum_([moments])
    count, mean = moments[0].clamp(min=1), moments[1] / moments[0].clamp(min=1)
    squares = torch.where(on, kept - mean, 0).square().sum()
    runtime.sum_([squares])
    std = (squares / (count - 1).clamp(min=1)).sqrt()
    scaled = (kept - mean) / std if std > 1e-6 else torch.zeros_like(kept)
    return torch.where(on, scaled.to(values.dtype), torch.where(mask, values * torch.nan, 0))
