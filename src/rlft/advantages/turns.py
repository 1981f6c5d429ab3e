"""Credit of rows with several turns: which of them are judged, by what, and beside whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from jaxtyping import Float, Int
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


def without_unfinished(credit: Credit) -> Credit:
    """The same advantages, NaN (left out) for rows that their limits ended before they had an answer: SUPO's mask.

    Such a row stays in the statistics of its group and has no gradient of its own (arXiv:2510.06727, Section 4). Limits
    are turns, summaries and the window; a turn that was cut off is the policy's own affair, and its row is judged.
    `unfinished` [N] says which rows those are. Without the column it is `credit`.
    """
    return _without(credit, "unfinished")


def without_summaries(credit: Credit) -> Credit:
    """The same advantages, NaN (left out) for decisions that are a summary's, as `summary` [N D] says.

    Without the column it is `credit`.
    """
    return _without(credit, "summary")


def _without(credit: Credit, name: str) -> Credit:
    def filtered(rollouts: Rollouts, runtime: Runtime) -> Tensor | Mapping[str, Tensor]:
        if not rollouts.has(name):
            return credit(rollouts, runtime)
        columns = rollouts.wide(credit(rollouts, runtime))
        left = rollouts.column(name).reshape(len(rollouts), -1)
        return {**columns, "advantages": columns["advantages"].masked_fill(left, torch.nan)}

    return Around(filtered, credit)


def segments(rollouts: Rollouts) -> Int[Tensor, "N"]:
    """In how many contexts a row was read: 1, and one more for each summary, behind which other decisions stand."""
    if not rollouts.has("summary"):
        return torch.ones(len(rollouts), dtype=torch.long, device=rollouts.mask.device)
    summary = rollouts.column("summary")
    return 1 + summary[:, :1].sum(1) + (summary[:, 1:] & ~summary[:, :-1]).sum(1)


def per_segment(statistic: Callable[[Tensor], Tensor]) -> Credit:
    """Lift `[P G] -> [P G]` to rollouts, each row counted as often as it has segments, with its one reward.

    So a group's rows of many segments pull its mean to themselves. Without summaries it is `per_group`.
    """

    def credit(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
        rewards = rollouts.rewards.reshape(-1, rollouts.group)
        counts = segments(rollouts).reshape(-1, rollouts.group)
        found = [
            statistic(row.repeat_interleave(count)[None])[0, count.cumsum(0) - 1]
            for row, count in zip(rewards, counts, strict=True)
        ]
        return torch.cat([rewards[:0].flatten(), *found])

    return credit
