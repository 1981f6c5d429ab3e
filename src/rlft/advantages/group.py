"""Baselines from the rows of one problem or of one batch: `[P G] -> [P G]`. No critic, no memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from rlft.types import Credit, Rollouts, Runtime

# A group whose deviation is below this is constant: rounding alone gives equal rewards a deviation of about 1e-8.
CONSTANT = 1e-6


def center(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """R - mean R over the group (arXiv:2503.20783)."""
    return rewards - rewards.nanmean(1, keepdim=True)


def deviation(rewards: Float[Tensor, "*P G"], correction: int) -> Float[Tensor, "*P 1"]:
    """Standard deviation over the last axis, NaN passed over; 0 where fewer than two values count."""
    count = rewards.isfinite().sum(-1, keepdim=True)
    squares = (rewards - rewards.nanmean(-1, keepdim=True)).square().nansum(-1, keepdim=True)
    return (squares / (count - correction).clamp(min=1)).sqrt()


def zscore(rewards: Float[Tensor, "P G"], correction: int = 1) -> Float[Tensor, "P G"]:
    """(R - mean R) / std R over the group (arXiv:2402.03300); 0 in a group of equal rewards.

    `correction` is Bessel's: 1 as TRL, verl and OpenRLHF have it, 0 for the population's deviation.
    """
    std = deviation(rewards, correction)
    return torch.where(std > CONSTANT, center(rewards) / std.clamp(min=CONSTANT), 0 * rewards)


def leave_one_out(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """R_i - mean of the others' R (arXiv:2402.14740). Equals `center` times G/(G-1)."""
    count = rewards.isfinite().sum(1, keepdim=True)
    return center(rewards) * count / (count - 1).clamp(min=1)


def best_of(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """1 for the first best row of each group, NaN (left out) for the others (arXiv:2304.06767)."""
    best = torch.where(rewards.isnan(), -torch.inf, rewards).argmax(1, keepdim=True)
    chosen = torch.full_like(rewards, torch.nan).scatter(1, best, 1.0)
    return torch.where(rewards.isnan(), torch.nan, chosen)


def softmax(beta: float) -> Callable[[Tensor], Tensor]:
    """G softmax(beta R) over the group (arXiv:2511.00088): weights above 0 whose mean is 1, so nothing is unlearned.

    Beta is in 1/reward; a baseline changes nothing. At 0 it is 1 for every row, and as beta grows G for the best one
    and 0 for the others, `best_of` times G where one is best. G counts the rows that are scored; NaN stays NaN.
    """

    def weights(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
        count = rewards.isfinite().sum(1, keepdim=True)
        share = (beta * rewards).masked_fill(rewards.isnan(), -torch.inf).softmax(1)
        return torch.where(rewards.isnan(), torch.nan, count * share)

    return weights


def at_least(threshold: float) -> Callable[[Tensor], Tensor]:
    """1 for rows whose reward reaches the threshold, NaN (left out) for the others (arXiv:2312.06585)."""

    def chosen(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
        return torch.where(rewards >= threshold, torch.ones_like(rewards), torch.nan)

    return chosen


def batch_baseline(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """R minus the batch's mean (Williams 1992)."""
    return rewards - rewards.nanmean()


def batch_normalised(rewards: Float[Tensor, "P G"], correction: int = 1) -> Float[Tensor, "P G"]:
    """(R - mean R) / std R over the whole batch; 0 where all rewards are equal."""
    return zscore(rewards.reshape(1, -1), correction).reshape(rewards.shape)


def group_mean_batch_std(rewards: Float[Tensor, "P G"], correction: int = 1) -> Float[Tensor, "P G"]:
    """(R - mean over the group) / (std over the batch of the raw rewards) (arXiv:2508.08221)."""
    std = deviation(rewards.reshape(1, -1), correction)
    return torch.where(std > CONSTANT, center(rewards) / std.clamp(min=CONSTANT), 0 * rewards)


def overlong(length: Int[Tensor, "*S"], limit: int, cache: int) -> Float[Tensor, "*S"]:
    """DAPO's soft punishment of long rows, Eq. 13 of arXiv:2503.14476, in decisions.

    0 up to limit - cache, falling linearly to -1 at limit, -1 beyond.
    """
    return ((limit - cache - length) / cache).clamp(-1, 0)


def uniform(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
    """1 for every row, whatever its reward: imitation."""
    return torch.ones(len(rollouts), device=rollouts.mask.device)


def per_group(statistic: Callable[[Tensor], Tensor]) -> Credit:
    """Lift `[P G] -> [P G]` to rollouts. Groups are whole on every process, so nothing is gathered."""

    def credit(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
        return statistic(rollouts.rewards.reshape(-1, rollouts.group)).reshape(-1)

    return credit


def per_batch(statistic: Callable[[Tensor], Tensor]) -> Credit:
    """Lift `[P G] -> [P G]` that looks across groups: every process sees the rewards of all."""

    def credit(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
        rewards, place = everyone(rollouts.rewards, rollouts, runtime)
        return statistic(rewards.reshape(-1, rollouts.group)).reshape(-1)[place]

    return credit


def everyone(
    column: Shaped[Tensor, "N *S"], rollouts: Rollouts, runtime: Runtime
) -> tuple[Shaped[Tensor, "M *S"], Int[Tensor, "N"]]:
    """A column of all processes' rows in the order of the batch, and where this process's rows stand in it."""
    position = runtime.gather(rollouts.position)
    order = position.argsort()
    return runtime.gather(column)[order], torch.searchsorted(position[order], rollouts.position)
