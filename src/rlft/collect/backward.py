"""The end of a row first: only its last decisions are learned from, alone or by branches that share what is before.

Parts of B²-DiffuRL (Hu et al. 2025, arXiv:2503.11240): of a reward that comes at the end, the last decisions are the
easiest to credit. Nothing here knows what a decision is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rlft.collect.sources import one_batch
from rlft.types import Collect, Rollouts, Source, UserError


@dataclass(frozen=True)
class Interval:
    """A row's last decisions: `first` of them at step 0, and all of them from step `over` on.

        τ = min(L, first + floor((L + 1 - first) step / over)),    L the row's decisions

    over = 0 leaves it at `first`. The authors' code has first = 14 of 20 and over = 100.
    """

    first: int
    over: int = 0

    def __post_init__(self) -> None:
        if self.first < 1 or self.over < 0:
            raise UserError(f"an interval begins with at least 1 decision, over 0 steps or more, not {self}")

    def start(self, mask: Bool[Tensor, "N D"], step: int) -> Int[Tensor, "N"]:
        """The column at which each row's interval begins; 0 where it is the whole row."""
        length = mask.sum(1)
        more = (length + 1 - self.first).clamp(min=0) * step // self.over if self.over else 0
        before = length - (self.first + more)
        # columns with at most `before` decisions up to and with them stand before the interval
        return torch.where(before > 0, (mask.cumsum(1) <= before[:, None]).sum(1), 0)


def latest(interval: Interval, collect: Collect = one_batch) -> Collect:
    """The rows of `collect`, of which only the interval is on the mask: backward progressive training.

    Notes `interval`, the mean number of decisions that are left. Degenerates into `collect` for first >= L.
    """

    def collected(source: Source) -> Rollouts:
        drawn = collect(source)
        return _noted(source, _cut(drawn, interval.start(drawn.mask, source.steps_done)))

    return collected


def branches(interval: Interval) -> Collect:
    """Groups whose rows share all that is decided before the interval: branch-based sampling.

    P/G problems are drawn, G rows of each. Every one of these P rows is the first of a group of its own: from where its
    interval begins it is continued G - 1 times, with the policy's capability `Resumable`. So a step has P groups and
    P·G rows and rewards, as with any other method, and what is shared is decided once. Rows of a group differ by the
    interval alone, which is all that is on the mask. Where that is the whole row, groups share their problem alone.

    Notes `interval`. Raises `UserError` unless G divides P.
    """

    def collected(source: Source) -> Rollouts:
        group = source.group
        problems, rest = divmod(source.prompts, group)
        if rest or group < 2:
            raise UserError(
                f"{source.prompts} groups of {group} branches: each problem begins as many groups as a group has rows, "
                "so make group at least 2 and prompts a multiple of it"
            )
        stems = source.draw(problems)
        at = interval.start(stems.mask, source.steps_done)
        grown = source.resume(stems, at, group - 1)
        first, number = group * stems.position, torch.arange(len(grown), device=at.device) % (group - 1)
        behind = grown.position // (group - 1) * group + 1 + number
        whole = Rollouts.concat(
            [replace(_cut(stems, at).place(first), group=group), replace(grown.place(behind), group=group)]
        )
        return _noted(source, whole[whole.position.argsort()])

    return collected


def _cut(rollouts: Rollouts, at: Int[Tensor, "N"]) -> Rollouts:
    """The rows with what stands before `at` off the mask."""
    mask = rollouts.mask & (torch.arange(rollouts.mask.shape[1], device=at.device) >= at[:, None])
    return replace(rollouts, mask=mask, logp_old=torch.where(mask, rollouts.logp_old, 0))


def _noted(source: Source, rollouts: Rollouts) -> Rollouts:
    left = rollouts.mask.sum(1).double()
    total, rows = left.sum(), left.new_tensor(float(len(left)))
    source.runtime.sum_([total, rows])  # of all processes, which may have unlike shares
    source.notes["interval"] = float(total / rows)
    return rollouts
