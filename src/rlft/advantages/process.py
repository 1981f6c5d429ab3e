"""Group baselines where credit differs from decision to decision: rewards of a process, and what a critic blames."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.gae import return_to_go
from rlft.advantages.group import CONSTANT, deviation
from rlft.advantages.shaping import rewards_of_decisions
from rlft.types import Credit, Rollouts, Runtime


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


def blame_zscore(correct: float, penalty: float) -> Credit:
    """(r_id - mean r) / std r over all decisions of all rows of a problem, with r_id = correct R_i - penalty b_id.

    b_id [N, D] is how wrong a critic finds what decision d wrote, the column `blame`; none where the reward has no
    critic. A row with more decisions counts for more, and a group of wrong rows teaches something where some of their
    steps are blamed. With penalty=0 it is `zscore` but for that weight. Unscored rows are passed over, and are NaN;
    where all decisions are worth the same it is 0.
    """

    def credit(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N D"]:
        worth = correct * rollouts.rewards[:, None].expand_as(rollouts.mask)
        if rollouts.has("blame"):
            worth = worth - penalty * rollouts.column("blame")
        own = torch.where(rollouts.mask, worth, torch.nan).reshape(-1, rollouts.group * rollouts.mask.shape[1])
        std = deviation(own, correction=1)
        scaled = torch.where(std > CONSTANT, (own - own.nanmean(1, keepdim=True)) / std.clamp(min=CONSTANT), 0 * own)
        return torch.where(rollouts.mask, scaled.reshape(rollouts.mask.shape), 0)

    return credit
