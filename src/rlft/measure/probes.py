"""What a linear map reads off features: how much of something they hold. No network is trained."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def linear_r2(
    features: Float[Tensor, "N F"],
    targets: Float[Tensor, "N K"],
    held_features: Float[Tensor, "M F"],
    held_targets: Float[Tensor, "M K"],
    ridge: float = 0.1,
) -> float:
    """R² of ridge regression on held-out rows: the mean over targets of 1 - Σ (y - ŷ)² / Σ (y - mean y)².

    ridge   of standardised features, relative to the number of rows

    1: all of them can be read off linearly. 0: no more than their mean, as of features that hold nothing; below 0 where
    chance was fitted. Targets that do not vary are left out; without any other it is NaN.
    """
    mean, std = features.mean(dim=0), features.std(dim=0).clamp(min=1e-6)
    x = torch.cat([(features - mean) / std, torch.ones_like(features[:, :1])], dim=1).double()
    held = torch.cat([(held_features - mean) / std, torch.ones_like(held_features[:, :1])], dim=1).double()
    penalty = ridge * len(x) * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    penalty[-1, -1] = 0
    weights = torch.linalg.solve(x.T @ x + penalty, x.T @ targets.double())
    error = (held_targets.double() - held @ weights).square().sum(dim=0)
    spread = (held_targets.double() - held_targets.double().mean(dim=0)).square().sum(dim=0)
    varies = spread > 1e-12 * len(held)
    return float((1 - error[varies] / spread[varies]).mean())
