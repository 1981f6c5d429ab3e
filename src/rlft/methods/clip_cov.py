"""Clip-Cov: no gradient where the entropy would fall most. Cui et al. 2025, arXiv:2505.22617, Section 4.

Differs from `grpo` in a few decisions that are left out, drawn among those whose log-probability and advantage vary
much together (see `kl_cov` for why); no KL.

    Cov_d  = (log pi_old(d) - mean log pi_old) (A_d - mean A)          means over the decisions of the batch
    loss_d = 0          for a `share` of all decisions, drawn from those with lower < Cov_d < upper
    loss_d = -min(r A_d, clip(r, 1-low, 1+high) A_d)        for the others
    loss   = 1/(sum_i |i|) sum_i sum_d loss_d,    A_i = (R_i - mean R) / std R

With share = 0 it is `tricks(std="group")`: GRPO without KL and with the token mean.
"""

from rlft.advantages import per_group, zscore
from rlft.advantages.covariance import random_covariant
from rlft.losses import clipped, ppo_clip
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Update, published


@published
def clip_cov(
    share: float = 0.0002,
    lower: float = 1.0,
    upper: float = 5.0,
    low: float = 0.2,
    high: float = 0.2,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """Clip-Cov.

    Args:
        share: part of a batch's decisions that are left out; at least one decision is, unless it is 0.
        lower: the covariance above which a decision may be left out, in nats times units of advantage.
        upper: the covariance up to which it may.
        low: how far below 1 the ratio may move.
        high: how far above 1 the ratio may move.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio, kept = (logp - rollouts.logp_old).exp(), 1 - rollouts.emphasis
        named = {"clipped": clipped(ratio, rollouts.advantages, low, high), "covariant": rollouts.emphasis}
        return kept * ppo_clip(ratio, rollouts.advantages, low, high), named

    return Method(
        advantage=random_covariant(per_group(zscore), share, lower, upper),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
