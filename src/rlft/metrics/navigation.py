"""How well one finds the way: success, and success weighted by the length of the path."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlft.errors import UserError


def spl(success: Bool[Tensor, "N"], shortest: Float[Tensor, "N"], taken: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
    """Success weighted by path length of each episode, S l / max(p, l). Anderson et al. 2018, arXiv:1807.06757.

    Their number is the mean, 1/N Σ S_i l_i / max(p_i, l_i).

    success   whether the goal was reached
    shortest  length of the shortest path from start to goal, more than 0
    taken     length of the path that was taken, at least 0
    """
    if not (shortest > 0).all() or not (taken >= 0).all():
        raise UserError("SPL needs shortest paths that are longer than 0, and taken ones that are not negative")
    return success * shortest / torch.maximum(taken, shortest)
