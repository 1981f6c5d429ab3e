"""Of each group only the best row and the worst are learned from. Not how good they are: that is another credit's."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlft.advantages.around import Around
from rlft.types import Credit, Rollouts, Runtime


def extremes(credit: Credit, least: float) -> Around:
    """A credit [N] of rows, left to the best row of each group if it has at least `least`, and to the worst if it has
    less than -`least`; the others are left out (arXiv:2503.11240, Sec. 3.3).

    Of equals the first. Rows without a score are neither.
    """

    def outer(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
        given = credit(rollouts, runtime)
        assert isinstance(given, Tensor) and given.ndim == 1, "of a row, not of each of its decisions"
        kept = chosen(given.reshape(-1, rollouts.group), least).reshape(-1)
        return torch.where(kept, given, torch.nan)

    return Around(outer, credit)


def chosen(credit: Float[Tensor, "P G"], least: float) -> Bool[Tensor, "P G"]:
    """Whether a row is the best of its group and good enough, or the worst and bad enough."""
    unknown, index = credit.isnan(), torch.arange(credit.shape[1], device=credit.device)
    best = torch.where(unknown, -torch.inf, credit).argmax(1, keepdim=True)
    worst = torch.where(unknown, torch.inf, credit).argmin(1, keepdim=True)
    return ~unknown & (((index == best) & (credit >= least)) | ((index == worst) & (credit < -least)))
