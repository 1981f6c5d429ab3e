"""How far two rankings of the same things agree: Kendall's tau of each list. Of numbers, larger for better."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def kendall_tau(first: Float[Tensor, "P G"], second: Float[Tensor, "P G"]) -> Float[Tensor, "P"]:
    """tau-b of each row (Kendall 1945): sum_pairs sign a sign b / sqrt(pairs untied in a · pairs untied in b).

    Without ties it is pairs in the same order less pairs in the other, over all pairs. NaN where all of either list are
    tied, and of lists in which a number is NaN.
    """
    above, left = torch.triu_indices(first.shape[1], first.shape[1], offset=1, device=first.device)
    one, two = (torch.sign(held[:, above] - held[:, left]).double() for held in (first, second))
    tau = (one * two).sum(1) / (one.square().sum(1) * two.square().sum(1)).sqrt()
    return tau.masked_fill((first.isnan() | second.isnan()).any(1), torch.nan)
