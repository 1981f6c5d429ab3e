"""Losses that fit a policy's log-ratio to the reward instead of weighing its gradient by it. Pure tensor functions: no
model, no sampling."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def group_prediction(
    log_ratio: Float[Tensor, "P G"], valid: Bool[Tensor, "P G"], epsilon: float
) -> Float[Tensor, "P G"]:
    """(rho - mean rho) / max(sg(std rho), epsilon) over the valid rows of each group; 0 elsewhere.

    The log-ratio of a row, in nats, as the advantage it would be the optimum for: with rho* = R/lam - log Z neither lam
    nor log Z is left, so it is (R - mean R) / std R (arXiv:2506.07464, Section 3.2).

    Where the policy is the one that sampled every rho is 0, std rho too, and the quotient has no value: below `epsilon`
    nats the divisor is `epsilon`. It has no gradient, since that of a root is infinite at 0. The deviation is the
    population's. With two rows a group's prediction is +1 and -1 whatever the gap, so a group needs three.
    """
    count = valid.sum(1, keepdim=True).clamp(min=1)
    kept = torch.where(valid, log_ratio, 0)
    centred = torch.where(valid, kept - kept.sum(1, keepdim=True) / count, 0)
    std = (centred.detach().square().sum(1, keepdim=True) / count).sqrt()
    return centred / std.clamp(min=epsilon)


def group_regression(
    log_ratio: Float[Tensor, "P G"], advantages: Float[Tensor, "P G"], valid: Bool[Tensor, "P G"], epsilon: float
) -> Float[Tensor, "P G"]:
    """(A - A_theta)², A_theta = `group_prediction`: Reg-GRPO's loss of each row (arXiv:2506.07464, Section 3.2).

    `advantages` are normalised over the group with the population's deviation, so the loss of a group is 1 on average
    where the policy is the one that sampled, and 0 for every rho = a A + c whose spread a is positive and at least
    `epsilon`: how far to go is not identified by the loss, see `slope`. Its gradient at the sampling policy is
    -(2 / epsilon) mean of A grad log pi, the direction of the policy gradient.
    """
    error = advantages - group_prediction(log_ratio, valid, epsilon)
    return torch.where(valid, error.square(), 0)


def slope(
    log_ratio: Float[Tensor, "P G"], advantages: Float[Tensor, "P G"], valid: Bool[Tensor, "P G"]
) -> Float[Tensor, "P"]:
    """a of the least-squares fit rho = a A + c in each group, nats; 0 in a group without spread in A.

    What `group_regression` leaves open: 1/a plays the part of the KL's weight lam in units of the group's deviation.
    """
    count = valid.sum(1, keepdim=True).clamp(min=1)
    rho, a = (torch.where(valid, values, 0) for values in (log_ratio, advantages))
    a = torch.where(valid, a - a.sum(1, keepdim=True) / count, 0)
    spread = a.square().sum(1)
    return torch.where(spread > 0, (rho * a).sum(1) / spread.clamp(min=torch.finfo(a.dtype).tiny), 0)
