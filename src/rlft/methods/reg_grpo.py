"""Reg-GRPO: GRPO as a regression. Park et al. 2025, "DeepVideo-R1", arXiv:2506.07464, Section 3.2.

Differs from `grpo` in the loss: the log-ratio of a whole row, normalised over its group, is fitted to the normalised
reward. No ratio, minimum or clip.

    A_i   = (R_i - mean R) / std R                     over the G rows of a problem
    rho_i = sum_d log pi/pi_old                        nats a row
    loss  = mean_i ( A_i - (rho_i - mean rho) / std rho )² + beta KL(pi || pi_ref)

At the first update of a step all rho are 0 and std rho is replaced by `epsilon`, so the gradient is GRPO's direction
(of whole rows, not of their mean over decisions) times 2/epsilon. Groups of equal rewards have no target and are left
out. `slope` in the metrics is the a of rho = a A + c, which the loss does not see and the learning rate and the number
of updates decide.
"""

import torch

from rlft.advantages import per_group, zscore
from rlft.advantages.group import CONSTANT, deviation
from rlft.losses import kl_k3
from rlft.losses.regression import group_regression, slope
from rlft.losses.surrogate import drift, sample_mean
from rlft.types import Method, Total, Update, published


@published
def reg_grpo(epsilon: float = 0.1, beta: float = 0.0, epochs: int = 1, minibatches: int = 1) -> Method:
    """Reg-GRPO.

    Args:
        epsilon: the least spread of log-ratios in a group that is normalised, nats; below it they are divided by it.
            Far above the rounding of a row's log-probability, since 2/epsilon scales the first gradient.
        beta: weight of the KL to the reference, per decision as in `grpo`; 0 needs no reference.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def loss(policy, rollouts) -> Total:
        logp, mask = policy.log_prob(rollouts), rollouts.mask
        valid = mask.any(1).reshape(-1, rollouts.group)
        rho = torch.where(mask, logp - rollouts.logp_old, 0).sum(1).reshape(valid.shape)
        # a row has one advantage, and stands with 0 where the mask is off
        first = rollouts.advantages.gather(1, mask.int().argmax(1, keepdim=True))
        advantages = first.reshape(valid.shape).to(rho.dtype)
        total = group_regression(rho, advantages, valid, epsilon).sum()
        if beta:
            total = total + beta * sample_mean(kl_k3(logp, rollouts.logp_ref), mask).sum
        means, peaks = drift(logp, rollouts)
        informative = valid.any(1)
        fitted = slope(rho.detach(), advantages, valid)[informative].sum()
        return Total(total, valid.sum(), {**means, "slope": (fitted, informative.sum())}, peaks)

    return Method(
        advantage=per_group(target),
        updates=(Update(loss),),
        reference=beta > 0,
        epochs=epochs,
        minibatches=minibatches,
        min_group=3,
        whole_groups=True,
    )


def target(rewards):
    """(R - mean R) / std R, population deviation; NaN in groups of equal rewards and of fewer than three scored."""
    scored = rewards.isfinite().sum(1, keepdim=True)
    informative = (deviation(rewards, correction=0) > CONSTANT) & (scored >= 3)
    return torch.where(informative, zscore(rewards, correction=0), torch.nan)
