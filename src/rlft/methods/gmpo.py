"""GMPO: Geometric-Mean Policy Optimization. Zhao et al. 2025, arXiv:2507.20673, Section 3.

Differs from `grpo` in two places: a row's objective is the geometric and not the arithmetic mean over its decisions, so
that one whose ratio has run away cannot carry the row; and each decision is clipped, in nats and widely. No KL.

    h_d  = min(log r_d, high) where A_i > 0,   max(log r_d, -low) where A_i < 0
    loss = 1/N sum_i -A_i exp( 1/|i| sum_d h_d ),    A_i = (R_i - mean R) / std R

Differs from `gspo` in what is clipped, a decision and not the row. With rows of one decision it is `grpo` without KL,
clipped at exp(-low) and exp(high).
"""

from rlft.advantages import per_group, zscore
from rlft.losses import geometric_ratio
from rlft.losses.surrogate import sample_mean, surrogate
from rlft.types import Method, Update, published


@published
def gmpo(low: float = 0.4, high: float = 0.4, epochs: int = 1, minibatches: int = 1) -> Method:
    """GMPO.

    Args:
        low: how far below 0 the log of a decision's ratio may move, in nats.
        high: how far above 0 the log of a decision's ratio may move, in nats.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        log_ratio, up = logp - rollouts.logp_old, rollouts.advantages > 0
        ratio = geometric_ratio(log_ratio, rollouts.advantages, rollouts.mask, low, high)
        held = (log_ratio > high) & up | (log_ratio < -low) & (rollouts.advantages < 0)
        return -ratio * rollouts.advantages, {"clipped": held}

    return Method(
        advantage=per_group(zscore),
        updates=(Update(surrogate(objective, reduce=sample_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
