"""Credit of batches that have demonstrations beside the rows that were drawn."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rlft.types import Credit, Rollouts, Runtime


def beside_demonstrations(credit: Credit) -> Credit:
    """A credit of the drawn rows alone: demonstrations are in no baseline, and all of their columns are 1.

    A 1 weighs every demonstration alike and keeps it in the batch, though nobody rewarded it. Without the column
    `demonstrated` it is `credit`.
    """

    def beside(rollouts: Rollouts, runtime: Runtime) -> Tensor | dict[str, Tensor]:
        if not rollouts.has("demonstrated"):
            columns = credit(rollouts, runtime)
            return dict(columns) if isinstance(columns, Mapping) else columns
        drawn = (~rollouts.column("demonstrated")).nonzero()[:, 0]
        columns = credit(rollouts.of(demonstrated=False), runtime)
        columns = columns if isinstance(columns, Mapping) else {"advantages": columns}
        whole = {}
        for name, column in columns.items():
            ones = torch.ones((len(rollouts), *column.shape[1:]), dtype=column.dtype, device=column.device)
            whole[name] = ones.index_put((drawn.to(column.device),), column)
        return whole

    return beside
