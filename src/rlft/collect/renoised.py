"""A batch, and what the network that drew it takes its samples for once they are noised again. Knows no loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from rlft.collect.sources import one_batch
from rlft.noise import hashed
from rlft.types import Collect, Credit, Problem, Rollouts, Source, UserError


def renoised(levels: int, credit: Credit, worth: Callable[[Tensor], Tensor]) -> Collect:
    """One batch whose rows hold, in their trace, what a regression to their samples needs.

    at       [N L], steps before which the sample is noised anew, each row's own, none of them twice
    before   [N L *S], what the network says of it there, as it is now, see `types.Denoising`
    good     [N], `worth` of the row's advantage by `credit`; NaN of a row without a reward

    They are kept, so that later updates of the batch still compare with the network that drew it.
    """
    if levels < 1:
        raise UserError(f"levels={levels}: noise every sample anew at least once")

    def collect(source: Source) -> Rollouts:
        rollouts = one_batch(source)
        at = some_steps(rollouts, levels)
        with torch.no_grad():
            before = source.policy.denoised(rollouts, at)
        advantages = credit(rollouts, source.runtime)
        if not isinstance(advantages, Tensor):
            raise UserError("a credit that gives single numbers is needed, such as per_group(zscore)")
        good = torch.where(rollouts.rewards.isfinite(), worth(advantages), torch.nan)
        source.notes["good"] = float(good.nanmean()) if bool(good.isfinite().any()) else float("nan")
        return replace(rollouts, trace={**rollouts.trace, "at": at, "before": before, "good": good})

    return collect


def some_steps(rollouts: Rollouts, levels: int) -> Int[Tensor, "N L"]:
    """`levels` steps of each row, at most all of them, by a hash of its problem and its place in the batch."""
    steps = rollouts.mask.shape[1]

    def order(problem: Problem, place: int) -> list[int]:
        return sorted(range(steps), key=lambda step: hashed("noised again", *problem.key, place, step))

    pairs = zip(rollouts.problems, rollouts.position.tolist(), strict=True)
    chosen = [order(problem, place)[:levels] for problem, place in pairs]
    return torch.tensor(chosen, device=rollouts.mask.device).reshape(-1, min(levels, steps))
