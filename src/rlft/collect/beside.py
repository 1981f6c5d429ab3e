"""Rows that were drawn and demonstrations in one batch. Chooses none of them."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from rlft.advantages.group import everyone
from rlft.types import Rollouts, Source


def lessons(drawn: Rollouts, source: Source) -> Int[Tensor, "P"]:
    """The index of the problem of each group of the step, on all processes; -1 of one that has no lesson."""
    names = [-1 if problem.lesson is None else problem.index for problem in drawn.problems]
    index, _ = everyone(torch.tensor(names, device=drawn.mask.device), drawn, source.runtime)
    return index[:: drawn.group]


def behind(drawn: Rollouts, source: Source) -> int:
    """The first place of the batch behind all rows that were drawn, on all processes."""
    return int(source.runtime.gather(drawn.position).max()) + 1


def beside(drawn: Rollouts, taught: Rollouts) -> Rollouts:
    """Both, told apart by the column `demonstrated`; the demonstrations have their places in the batch already.

    They are no part of the step's groups. A reward of each decision is 0 for them, and nobody drew them otherwise than
    the policy scores them.
    """
    device = drawn.mask.device
    taught = replace(taught, group=drawn.group)
    if drawn.has("reward_at"):
        taught = taught.fill(reward_at=torch.zeros_like(taught.logp_old, dtype=drawn.reward_at.dtype))
    if drawn.has("logp_drawn"):
        taught = taught.fill(logp_drawn=taught.logp_old)
    drawn, taught = (
        rows.fill(demonstrated=torch.full((len(rows),), shown, device=device))
        for rows, shown in ((drawn, False), (taught, True))
    )
    return Rollouts.concat([drawn, taught])
