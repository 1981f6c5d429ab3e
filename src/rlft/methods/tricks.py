"""The tricks of group-based PPO, each with a switch of its own. Liu et al. 2025, "Part I: Tricks or Traps?",
arXiv:2508.08221, Sections 4 and 5.

Not a method of its own: the frame in which GRPO, Dr. GRPO, DAPO and Lite PPO differ by one switch at a time.

    A_i  = (R_i - mean R) / std R                mean over the group or the batch, std over either or left out
    loss = aggregate of -min(r A_i, clip(r, 1-low, 1+high) A_i) over the rows i and their decisions

    group, group, sequence   `grpo(beta=0)`          group, batch, token            `lite_ppo`
    group, none,  an integer `dr_grpo`               group, group, token, rounds    `dapo`
"""

from typing import Literal

from rlft.advantages import (
    batch_baseline,
    batch_normalised,
    center,
    group_mean_batch_std,
    per_batch,
    per_group,
    zscore,
)
from rlft.advantages.length import without_overlong
from rlft.collect import informative
from rlft.losses.surrogate import clip_objective, fixed_length, sample_mean, sample_sum, surrogate, token_mean
from rlft.types import Method, Update, UserError, published

_CREDIT = {
    ("group", "group"): per_group(zscore),
    ("group", "batch"): per_batch(group_mean_batch_std),
    ("group", "none"): per_group(center),
    ("batch", "batch"): per_batch(batch_normalised),
    ("batch", "none"): per_batch(batch_baseline),
}
_REDUCE = {"token": token_mean, "sequence": sample_mean, "sum": sample_sum}


@published
def tricks(
    mean: Literal["group", "batch"] = "group",
    std: Literal["group", "batch", "none"] = "batch",
    aggregate: Literal["token", "sequence", "sum"] | int = "token",
    low: float = 0.2,
    high: float = 0.2,
    overlong: int | None = None,
    rounds: int | None = None,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """Group-based PPO with these tricks; as it stands it is Lite PPO.

    Args:
        mean: what the rewards are compared with, the mean of their group or of the batch.
        std: what they are divided by, the deviation of their group, of the batch (of the raw rewards), or nothing.
        aggregate: the mean over all decisions (token), over each row's and then over rows (sequence), of row sums
            (sum), or of row sums over a constant, which is given as an integer.
        low: how far below 1 the ratio may move.
        high: how far above 1 the ratio may move; more than `low` is clip-higher.
        overlong: decisions at which a row counts as cut off and has no gradient; None filters nothing.
        rounds: batches to draw at most in search of groups whose rewards differ; None keeps every group.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    if (mean, std) not in _CREDIT:
        raise UserError(
            "the batch's mean over the group's deviation has no meaning in a group of equal rewards, where the "
            "deviation is 0; take mean='group' or std='batch'"
        )
    credit = _CREDIT[mean, std]
    reduce = fixed_length(aggregate) if isinstance(aggregate, int) else _REDUCE[aggregate]
    return Method(
        advantage=credit if overlong is None else without_overlong(credit, overlong),
        updates=(Update(surrogate(clip_objective(low, high), reduce=reduce)),),
        collect=None if rounds is None else informative(rounds=rounds),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
