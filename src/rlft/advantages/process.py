"""A group baseline for rewards that stand at single decisions, of a process, as well as at the end."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.gae import return_to_go
from rlft.advantages.group import CONSTANT, deviation
from rlft.advantages.shaping import rewards_of_decisions
from rlft.types import Rollouts, Runtime


def to_go_zscore(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N D"]:
    """(what a row earns from decision d on - mean R) / std R, over the rows of a problem; R is a row's whole reward.

    What was earned before a decision is not to its credit. A baseline that does not know the decision leaves the
    expectation as it is. Where the reward comes at the end it is `zscore`, the same at each decision of a row. In a
    group of equal rewards it is 0, whatever its decisions earn: there is no deviation to measure that by.
    """
    rewards = rollouts.rewards.reshape(-1, rollouts.group)
    std = deviation(rewards, correction=1)
    mean, std = (x.expand_as(rewards).reshape(-1, 1) for x in (rewards.nanmean(1, keepdim=True), std))
    ahead = return_to_go(rewards_of_decisions(rollouts), rollouts.mask)
    # unscored rows stay NaN: a product with 0 keeps it
    return torch.where(std > CONSTANT, (ahead - mean) / std.clamp(min=CONSTANT), 0 * ahead)
