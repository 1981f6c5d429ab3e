"""Advantages scaled by how hard their rows are: unlike what was demonstrated, or rewarded less than it. GRPO-S.

Cheng et al. 2025, arXiv:2503.18991; the two scales are DAMA's (Lu et al. 2025, arXiv:2502.01943), of preferences there.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.around import Around
from rlft.advantages.group import everyone
from rlft.types import Credit, Rollouts, Runtime

By = Literal["both", "data", "model", "none"]
"""What scales: hardness of the data, the model's responsiveness, their product, or nothing."""

Over = Literal["row", "group"]
"""Whether each row has a scale of its own, or a group one."""

Against = Literal["group", "batch"]
"""Whose mean gap the mean of a group's kept ones is compared with."""


def data_scale(hardness: Float[Tensor, "P G"], over: Over = "row", steep: float = 1.0) -> Float[Tensor, "P G"]:
    """alpha_D = sigmoid(steep d) / sigmoid(steep mean d); d is in [0, 1], and the mean is the batch's.

    Where d is the same throughout it is 1. With steep=1 it lies between 1/1.46 and 1.46, the ratio of sigmoid(1) and
    sigmoid(0). `over="group"` takes the mean of a group's d for each of its rows. A row whose d is NaN counts for
    nothing and has 1.
    """
    mean = hardness.nanmean()
    if over == "group":
        hardness = hardness.nanmean(1, keepdim=True).expand_as(hardness)
    return ((steep * hardness).sigmoid() / (steep * mean).sigmoid()).nan_to_num(nan=1.0)


def model_scale(
    gaps: Float[Tensor, "P G"], tau: float, against: Against = "group", steep: float = 1.0
) -> Float[Tensor, "P G"]:
    """alpha_M = sigmoid(steep mean of kept gaps) / sigmoid(steep mean of all), one for each group.

    A gap is the reward of the demonstration less that of the row. Kept are those of a group whose squared deviation
    from the group's mean is at most `tau`, in squared units of the reward; of a group without any, all. With
    `against="group"` the mean of all is the group's own: without outliers it is 1. With "batch" it is the batch's, so
    that questions on which the policy is further behind weigh more. Unscored rows count for nothing; a group without
    gaps has 1.
    """
    mean = gaps.nanmean(1, keepdim=True)
    far = (gaps - mean).square() > tau
    kept = gaps.masked_fill(far, torch.nan).nanmean(1, keepdim=True)
    kept = torch.where(kept.isnan(), mean, kept)
    everything = mean if against == "group" else gaps.nanmean()
    return ((steep * kept).sigmoid() / (steep * everything).sigmoid()).nan_to_num(nan=1.0).expand_as(gaps)


def scaled_by_hardness(
    credit: Credit, by: By, tau: float, over: Over = "row", against: Against = "group", steep: float = 1.0
) -> Credit:
    """A credit times alpha_D alpha_M, or one of them, from the columns `hardness` and `gap`.

    With `by="none"` it is `credit`. Scales of rows do not keep the sum of a group's advantages, those of groups do.
    """
    if by == "none":
        return credit

    def scaled(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        scale = rollouts.rewards.new_ones(len(rollouts))
        if by in ("both", "data"):
            hardness, place = everyone(rollouts.column("hardness"), rollouts, runtime)
            scale = scale * data_scale(hardness.reshape(-1, rollouts.group), over, steep).reshape(-1)[place]
        if by in ("both", "model"):
            gaps, place = everyone(rollouts.column("gap"), rollouts, runtime)
            scale = scale * model_scale(gaps.reshape(-1, rollouts.group), tau, against, steep).reshape(-1)[place]
        columns = rollouts.wide(credit(rollouts, runtime))
        return {**columns, "advantages": columns["advantages"] * scale[:, None].to(columns["advantages"])}

    return Around(scaled, credit)
