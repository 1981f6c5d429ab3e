"""Ways to fill a step's batch from a `Source`. None of them knows what a rollout is made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlft.advantages.group import CONSTANT, deviation, everyone
from rlft.types import Collect, Rollouts, Source


def one_batch(source: Source) -> Rollouts:
    """The task's next P problems."""
    return source.draw(source.prompts)


def demonstrations(source: Source) -> Rollouts:
    """The answers of the task's next P problems, as rows."""
    return source.demonstrate(source.prompts)


def varied(rewards: Float[Tensor, "P G"]) -> Bool[Tensor, "P"]:
    """Groups whose rewards differ: the others have no advantage (arXiv:2503.14476, Eq. 11)."""
    return deviation(rewards, correction=0)[:, 0] > CONSTANT


def informative(keep: Callable[[Tensor], Tensor] = varied, rounds: int = 8) -> Collect:
    """Draw until P groups are worth keeping, at most `rounds` times; a step may then be smaller, and says so.

    The choice is made on the gathered rewards, so that every process keeps the same groups whatever their number.
    Notes `groups/drawn` and `groups/kept`.
    """

    def collect(source: Source) -> Rollouts:
        parts: list[Rollouts] = []
        kept = drawn = 0
        while kept < source.prompts and drawn < rounds * source.prompts:
            rollouts = source.draw(source.prompts)
            drawn += source.prompts
            chosen, count = _choose(rollouts, source, keep, kept)
            parts.append(chosen)
            kept += count
        source.notes.update({"groups/drawn": drawn, "groups/kept": kept})
        return Rollouts.concat(parts)

    return collect


def _choose(rollouts: Rollouts, source: Source, keep: Callable[[Tensor], Tensor], kept: int) -> tuple[Rollouts, int]:
    """This process's rows of the groups to keep, placed behind the `kept` groups that are there already."""
    rewards, place = everyone(rollouts.rewards, rollouts, source.runtime)
    group = rollouts.group
    good = keep(rewards.reshape(-1, group)).nonzero()[:, 0][: source.prompts - kept]
    slot = torch.full((len(rewards) // group,), -1, device=rewards.device)
    slot[good] = torch.arange(len(good), device=rewards.device) + kept
    mine = slot[place // group]
    rows = (mine >= 0).nonzero()[:, 0]
    return rollouts[rows].place(mine[rows] * group + place[rows] % group), len(good)
