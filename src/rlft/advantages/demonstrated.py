"""Credit of batches that have demonstrations beside the rows that were drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Int
from torch import Tensor

from rlft.advantages.around import Around
from rlft.advantages.group import per_group
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


def among_demonstrations(statistic: Callable[[Tensor], Tensor]) -> Credit:
    """Lift `[P G] -> [P G]` to rollouts with at most one demonstration of each problem, which is one more of its group.

    The group's mean and deviation are those of all G + 1 rows (LUFFY, arXiv:2504.14945, Section 3). The demonstration
    of group p stands at place P·G + p of the batch, as `collect.guided` puts it, and has a reward. Without the column
    `demonstrated` it is `per_group`.
    """

    plain = per_group(statistic)

    def credit(rollouts: Rollouts, runtime: Runtime) -> Tensor | Mapping[str, Tensor]:
        if not rollouts.has("demonstrated"):
            return plain(rollouts, runtime)
        taught, position = runtime.gather(rollouts.column("demonstrated")), runtime.gather(rollouts.position)
        rewards = runtime.gather(rollouts.rewards)
        drawn, group = int((~taught).sum()), rollouts.group
        whole = rewards.new_full((drawn // group, group + 1), torch.nan)
        row, column = _seats(position, drawn, group)
        whole[row, column] = rewards
        return statistic(whole)[_seats(rollouts.position, drawn, group)]

    return credit


def _seats(position: Int[Tensor, "N"], drawn: int, group: int) -> tuple[Int[Tensor, "N"], Int[Tensor, "N"]]:
    """Group and place in it of rows at these places of a batch with so many drawn rows: demonstrations come last."""
    taught = position >= drawn
    return torch.where(taught, position - drawn, position // group), torch.where(taught, group, position % group)
