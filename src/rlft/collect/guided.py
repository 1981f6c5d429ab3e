"""A demonstration of every question that has one, beside its group. Nothing here imitates."""

from __future__ import annotations

from dataclasses import replace

import torch

from rlft.collect.beside import behind, beside, lessons
from rlft.collect.sources import one_batch
from rlft.types import Collect, Rollouts, Source, UserError


def guided(earned: float, collect: Collect = one_batch) -> Collect:
    """The batch, and beside each group its problem's lesson as one more row, which has earned `earned`.

    LUFFY's batches (arXiv:2504.14945): rows of a teacher that were found right. Nobody scores them here. The row that
    belongs to group p of P groups of G stands at place P·G + p; the column `demonstrated` tells them apart. Problems
    without a lesson have none, and if a step has fewer lessons than there are processes, it has none at all. Notes
    `guided/shown`. Where nothing is taught it is `collect`, draw for draw.
    """

    def together(source: Source) -> Rollouts:
        drawn = collect(source)
        if source.prompts < source.runtime.world:
            raise UserError(f"{source.prompts} prompts cannot be shared over {source.runtime.world} processes")
        groups = lessons(drawn, source).cpu()
        taught_groups = (groups >= 0).nonzero()[:, 0]
        shown = len(taught_groups) if len(taught_groups) >= source.runtime.world else 0
        source.notes["guided/shown"] = shown
        if not shown:
            return drawn
        taught = source.teach(groups[taught_groups].tolist())
        at = taught_groups.to(taught.position.device)[taught.position] + behind(drawn, source)
        rewards = torch.full_like(taught.rewards, earned)
        return beside(drawn, replace(taught, filled={**taught.filled, "rewards": rewards}).place(at))

    return together
