"""GSPO: Group Sequence Policy Optimization. Zheng et al. 2025, arXiv:2507.18071, Eq. 5 to 7.

Differs from `grpo` in the ratio: one for each row, the length-normalised one, so the clip takes or leaves whole rows.

    s_i  = exp( 1/|i| sum_d log pi/pi_old )
    loss = 1/N sum_i -min(s_i A_i, clip(s_i, 1-low, 1+high) A_i),    A_i = (R_i - mean R) / std R

With rows of one decision it is `grpo` without KL.
"""

from rlft.advantages import per_group, zscore
from rlft.losses import clipped, ppo_clip, sequence_ratio
from rlft.losses.surrogate import sample_mean, surrogate
from rlft.types import Method, Update, published


@published
def gspo(low: float = 3e-4, high: float = 4e-4, epochs: int = 1, minibatches: int = 1) -> Method:
    """GSPO.

    Args:
        low: how far below 1 a row's ratio may move; the paper's, which is far smaller than a decision's.
        high: how far above 1 a row's ratio may move.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio = sequence_ratio(logp, rollouts.logp_old, rollouts.mask).expand_as(logp)
        loss = ppo_clip(ratio, rollouts.advantages, low, high)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, low, high)}

    return Method(
        advantage=per_group(zscore),
        updates=(Update(surrogate(objective, reduce=sample_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
