"""Rows that are ranked twice, by the run's reward and by how likely the policy finds them, and what both agree on.

What is agreed on is shown to who ranks, as demonstrations, with the next questions (CycleAlign, arXiv:2310.16271): a
reward that reads a problem's column `demonstrations` then knows more than it did. It is plain values, of each
demonstration the `prompt` and the `answers` from the best to the worst. Nothing here ranks a text.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlft.collect.episodes import worded
from rlft.types import Problem, Rollouts, Runtime, Source, UserError

DEMONSTRATIONS = "demonstrations"
"""The column of a problem that is asked about: what is shown with it."""

Ranking = Literal["agreed", "judge"]
"""The longest part of the ranking on which both agree, or the whole ranking by the reward."""

Demonstration = dict[str, Any]


def longest_agreement(first: Float[Tensor, "G"], second: Float[Tensor, "G"]) -> Bool[Tensor, "G"]:
    """The most rows whose order, from the best to the worst, is the same by both: a longest common subsequence.

    All of equal orders, one of reversed ones. Rows that are tied in either are in no order, so of them there is one at
    most; a row with a NaN is in none. Of several longest ones that which begins with the best by `first`, and goes on
    so.
    """
    known = (~(first.isnan() | second.isnan())).nonzero()[:, 0].tolist()
    one, two = first.tolist(), second.tolist()
    order = sorted(known, key=lambda row: -one[row])
    # how many rows the longest one that begins here has, and which comes next
    length, after = dict.fromkeys(order, 1), dict[int, int]()
    for place in reversed(range(len(order))):
        row = order[place]
        for other in order[place + 1 :]:
            if one[other] < one[row] and two[other] < two[row] and length[other] >= length[row]:
                length[row], after[row] = length[other] + 1, other
    chosen = torch.zeros(len(one), dtype=torch.bool)
    row = max(order, key=lambda row: length[row], default=None)  # the first of the longest
    while row is not None:
        chosen[row], row = True, after.get(row)
    return chosen


class Agreed:
    """A `collect` whose rows are ranked by the reward, which is shown what was agreed on before.

    The policy's own ranking of a group is by the mean over decisions of log pi, of the policy that drew.

    teaches   which ranking the rows keep as their rewards: rows outside of what is agreed on have NaN, so have no say
    shown    which ranking is demonstrated with the next steps' questions; None shows nothing
    keep     demonstrations that are shown, the newest
    least    rows of a group that must agree to be demonstrated

    With the judge's ranking and nothing shown it is `one_batch`, draw for draw. Answers that are tied with another of
    their group are not demonstrated. Every process remembers the same.

    Notes `ranked/agreed`, the share of rows that are agreed on, and `ranked/shown`, the demonstrations shown with this
    step's questions.
    """

    def __init__(self, teaches: Ranking = "agreed", shown: Ranking | None = "agreed", keep: int = 8, least: int = 4):
        if keep < 1 or least < 2:
            raise UserError(
                f"keep counts demonstrations, from 1, and least the rows of one, from 2; got {keep}, {least}"
            )
        self.teaches, self.shown, self.least = teaches, shown, least
        self.held: deque[Demonstration] = deque(maxlen=keep)

    def __call__(self, source: Source) -> Rollouts:
        drawn = source.rows_of(source.take(source.prompts))
        source.notes["ranked/shown"] = len(self.held)
        judged = replace(source.rewarded(self._asked(drawn)), problems=drawn.problems)
        ranks = judged.rewards.reshape(-1, judged.group)
        own = judged.logp_old.where(judged.mask, 0).sum(1) / judged.mask.sum(1).clamp(min=1)
        both = [longest_agreement(*pair) for pair in zip(ranks.cpu(), own.reshape_as(ranks).cpu(), strict=True)]
        agreed = torch.stack(both).to(ranks.device) if both else ranks.isfinite()
        counts = torch.tensor([float(agreed.sum()), float(agreed.numel())])
        shares = source.runtime.gather(counts[None]).sum(0)
        source.notes["ranked/agreed"] = float(shares[0] / shares[1].clamp(min=1))
        if self.shown is not None:
            self._remember(judged, ranks, agreed if self.shown == "agreed" else ranks.isfinite(), source.runtime)
        kept = agreed.flatten() if self.teaches == "agreed" else torch.ones_like(judged.rewards, dtype=torch.bool)
        rewards = judged.rewards.masked_fill(~kept, torch.nan)
        return replace(judged, filled={**judged.filled, "rewards": rewards})

    def state_dict(self) -> dict[str, Any]:
        """The demonstrations."""
        return {"held": list(self.held)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.held = deque(state["held"], self.held.maxlen)

    def _asked(self, drawn: Rollouts) -> Rollouts:
        """The rows with their problems as they are ranked."""
        if not self.held:
            return drawn
        shown = [dict(one) for one in self.held]
        asked: dict[int, Problem] = {}
        for problem in drawn.problems:  # rows of a group share one problem
            if id(problem) not in asked:
                asked[id(problem)] = replace(problem, columns={**problem.columns, DEMONSTRATIONS: shown})
        return replace(drawn, problems=tuple(asked[id(problem)] for problem in drawn.problems))

    def _remember(self, judged: Rollouts, ranks: Tensor, part: Tensor, runtime: Runtime) -> None:
        """Take this step's groups in, in the order of the batch."""
        found: list[tuple[int, Demonstration]] = []
        for number, (row_ranks, chosen) in enumerate(zip(ranks.tolist(), part.tolist(), strict=True)):
            rows = [row for row, there in enumerate(chosen) if there]
            rows = [row for row in rows if sum(row_ranks[row] == row_ranks[other] for other in rows) == 1]
            if len(rows) < self.least:
                continue
            first = number * judged.group
            order = sorted(rows, key=lambda row: -row_ranks[row])
            answers = [worded(judged.outputs[first + row]) for row in order]
            told = {"prompt": worded(judged.problems[first].input), "answers": answers}
            found.append((int(judged.position[first]), told))
        self.held.extend(told for _, told in sorted(_of_all(found, runtime), key=lambda one: one[0]))


def _of_all(found: Sequence[tuple[int, Demonstration]], runtime: Runtime) -> list[tuple[int, Demonstration]]:
    """What every process has found, through tensors of bytes."""
    data = json.dumps(list(found)).encode()
    sizes = runtime.gather(torch.tensor([len(data)])).tolist()
    padded = torch.zeros(1, max(sizes), dtype=torch.uint8)
    padded[0, : len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    told = runtime.gather(padded).cpu()
    parts = [json.loads(bytes(row[:size].tolist())) for row, size in zip(told, sizes, strict=True)]
    return [(place, demonstration) for part in parts for place, demonstration in part]
