"""Demonstrations alone for some steps, then rollouts: the two stages of most fine-tuning. Nothing here imitates."""

from __future__ import annotations

import torch

from rlft.collect.sources import one_batch
from rlft.types import Collect, Rollouts, Source, UserError


def taught_first(steps: int, size: int | None = None, collect: Collect = one_batch) -> Collect:
    """For `steps` steps the lessons of the task's next problems, and `collect` from then on.

    size     demonstrations in a step; None is as many as the step has problems
    collect  where the rows come from after that

    The column `demonstrated` tells them apart, as in `Hardest`, whose updates fit. Degenerates into `collect` for
    steps=0, draw for draw.
    """
    if steps < 0 or (size is not None and size < 1):
        raise UserError(f"demonstrations for at least 0 steps, at least 1 in each; got {steps} and {size}")

    def first(source: Source) -> Rollouts:
        if source.steps_done >= steps:
            return collect(source)
        rows = source.demonstrate(size or source.prompts)
        return rows.fill(demonstrated=torch.full((len(rows),), True, device=rows.mask.device))

    return first
