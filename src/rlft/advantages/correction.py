"""Weights for rows that another engine drew than the one that is trained. Not a ratio: it has no gradient."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.around import Around
from rlft.types import Credit, Rollouts, Runtime


def importance_corrected(credit: Credit, most: float = 2.0) -> Credit:
    """A credit whose advantages are multiplied by min(π_old / μ, most) for each decision.

    μ drew the row (`logp_drawn`) and π_old is the policy with the same weights in its own arithmetic (`logp_old`), so
    E_μ[w·A·∇log π] = E_π[A·∇log π] but for what the bound cuts off (truncated importance sampling: Ionides 2008, J.
    Comput. Graph. Stat. 17). Exact for losses in which a positive factor of the advantage is one of the loss: policy
    gradients, and PPO's clip. Returns and other columns stay as they are. Rows without `logp_drawn` came from the
    policy itself, and their advantages are `credit`'s.
    """

    def corrected(rollouts: Rollouts, runtime: Runtime) -> Tensor | Mapping[str, Tensor]:
        columns = credit(rollouts, runtime)
        if not rollouts.has("logp_drawn"):
            return columns
        wide = rollouts.wide(columns)
        return {**wide, "advantages": wide["advantages"] * weights(rollouts).clamp(max=most)}

    return Around(corrected, credit)


def weights(rollouts: Rollouts) -> Float[Tensor, "N D"]:
    """π_old / μ of each decision; 1 off the mask."""
    return torch.where(rollouts.mask, rollouts.logp_old - rollouts.column("logp_drawn"), 0).exp()
