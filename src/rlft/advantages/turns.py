"""Credit of rows with several turns: each turn is judged as a row of its own."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rlft.advantages.around import Around
from rlft.types import Credit, Rollouts, Runtime


def each_turn(credit: Credit, turns: int = 2) -> Credit:
    """A credit applied to the decisions of each turn alone, as though the others were not there.

    So every turn earns the whole row's reward at its last decision, or what rewards of decisions give to its own, and
    pays the KL of its own decisions and of no others; what is normalised over a batch is normalised over all rows'
    turns of this number. `turn` [N D] counts from 0, and `turns` says how many there are, the same on every process.
    Degenerates into `credit` for turns=1.
    """

    def each(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        whole: dict[str, Tensor] = {}
        for turn in range(turns):
            own = rollouts.mask & (rollouts.column("turn") == turn)
            for name, column in rollouts.wide(credit(replace(rollouts, mask=own), runtime)).items():
                whole[name] = torch.where(own, column, whole.get(name, torch.zeros_like(column)))
        return whole

    return Around(each, credit)
