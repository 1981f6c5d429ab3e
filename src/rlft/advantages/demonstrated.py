"""Credit of batches that have demonstrations beside the rows that were drawn."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from rlft.advantages.around import Around
from rlft.types import Credit, Rollouts, Runtime


def beside_demonstrations(credit: Credit) -> Credit:
    """A credit of the drawn rows alone: demonstrations are in no baseline, and all of their columns are 1.

    A 1 weighs every demonstration alike and keeps it in the batch, though nobody rewarded it. Without the column
    `demonstrated` it is `credit`.
    """

    def beside(rollouts: Rollouts, runtime: Runtime) -> Tensor | Mapping[str, Tensor]:
        if not rollouts.has("demonstrated"):
            return credit(rollouts, runtime)
        drawn = rollouts.of(demonstrated=False)
        place = (~rollouts.column("demonstrated")).nonzero()[:, 0]
        columns = drawn.wide(credit(drawn, runtime))
        return {n: c.new_ones(rollouts.mask.shape).index_put((place.to(c.device),), c) for n, c in columns.items()}

    return Around(beside, credit)
