"""Credit of rows with several turns: which of them are judged, by what, and beside whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.advantages.around import Around
from rlft.types import Credit, Rollouts, Runtime, Text, Transcript


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
    are the turns, summaries and tokens of a row. A turn that was cut off is the policy's own affair, and its
    conversation is judged. A row that is not text has no such limits; where none is reached it is `credit`.
    """

    def filtered(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        unfinished = torch.tensor(list(map(_unfinished, rollouts.outputs)), device=rollouts.mask.device)
        return _without(credit, rollouts, runtime, unfinished[:, None])

    return Around(filtered, credit)


def _unfinished(output: Any) -> bool:
    cut_off = isinstance(output, Transcript) and output.messages[-1].failed
    return isinstance(output, Text) and output.truncated and not cut_off


def without_summaries(credit: Credit) -> Credit:
    """The same advantages, NaN (left out) for the decisions of which summaries are made; see `policies.conversation`.

    Without summaries it is `credit`.
    """

    def filtered(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        return _without(credit, rollouts, runtime, in_summaries(rollouts))

    return Around(filtered, credit)


def in_summaries(rollouts: Rollouts) -> Bool[Tensor, "N D"]:
    """Which columns are a summary's."""
    found = torch.zeros(rollouts.mask.shape, dtype=torch.bool)
    for row, output in enumerate(rollouts.outputs):
        begin = 0
        for message in output.messages if isinstance(output, Transcript) else ():
            found[row, begin : begin + message.tokens] = message.role == "summary"
            begin += message.tokens
    return found.to(rollouts.mask.device)


def segments(rollouts: Rollouts) -> Int[Tensor, "N"]:
    """In how many contexts a row was read: 1, and one more for each summary."""
    counts = [1 + (output.summaries if isinstance(output, Transcript) else 0) for output in rollouts.outputs]
    return torch.tensor(counts, device=rollouts.mask.device)


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


def _without(credit: Credit, rollouts: Rollouts, runtime: Runtime, left: Bool[Tensor, "N *D"]) -> dict[str, Tensor]:
    columns = rollouts.wide(credit(rollouts, runtime))
    return {**columns, "advantages": columns["advantages"].masked_fill(left, torch.nan)}
