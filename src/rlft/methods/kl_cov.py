"""KL-Cov: a KL where the entropy falls most. Cui et al. 2025, arXiv:2505.22617, Section 4.

Differs from `grpo` in a penalty on few decisions, those whose log-probability and advantage vary most together, since
it is they that use the entropy up; and in having no clip.

    Cov_d  = (log pi_old(d) - mean log pi_old) (A_d - mean A)          means over the decisions of the batch
    loss_d = -r A_d + beta |log r|     for the `share` of decisions with the highest Cov_d
    loss_d = -r A_d                    for the others
    loss   = 1/(sum_i |i|) sum_i sum_d loss_d,    A_i = (R_i - mean R) / std R

|log r| is what the authors' code takes for the KL to the policy that drew the rows; `advantages.covariance` says how
the choice differs from theirs. With share = 0 it is `tricks(std="group")`, which is GRPO without KL and with the token
mean; and so it is at the first update of a step, where r = 1: it needs several.
"""

import math

from rlft.advantages import per_group, zscore
from rlft.advantages.covariance import most_covariant
from rlft.losses import clipped, ppo_clip
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Update, published


@published
def kl_cov(
    share: float = 0.0002, beta: float = 1.0, clip: float = math.inf, epochs: int = 1, minibatches: int = 1
) -> Method:
    """KL-Cov.

    Args:
        share: part of a batch's decisions that pay the KL; at least one decision does, unless it is 0.
        beta: weight of the KL of those decisions, a nat.
        clip: how far the ratio may move from 1; the authors' runs have no clip.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        log_ratio = logp - rollouts.logp_old
        ratio = log_ratio.exp()
        loss = ppo_clip(ratio, rollouts.advantages, clip, clip) + beta * rollouts.emphasis * log_ratio.abs()
        named = {"clipped": clipped(ratio, rollouts.advantages, clip, clip), "covariant": rollouts.emphasis}
        return loss, named

    return Method(
        advantage=most_covariant(per_group(zscore), share),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
