"""GSPO-token: GSPO with an advantage for each decision. Zheng et al. 2025, arXiv:2507.18071, Eq. 13 and 14.

Differs from `gspo` in where the gradient enters: a row's ratio counts in value, each decision's own in gradient, so
that decisions of one row may be judged apart.

    s_id = sg(s_i) pi(d) / sg(pi(d)),    s_i = exp( 1/|i| sum_d log pi/pi_old )
    loss = 1/N sum_i 1/|i| sum_d -min(s_id A_id, clip(s_id, 1-low, 1+high) A_id)
    A_id = (R_i from d on - mean R) / std R

The paper leaves A_id open; here it is what the row earns from the decision on, for rewards of decisions. Where the
reward comes at the end, every decision of a row has one advantage and this is `gspo`, in value and gradient.
"""

from rlft.advantages.process import to_go_zscore
from rlft.losses import clipped, ppo_clip, sequence_ratio, token_of_sequence
from rlft.losses.surrogate import sample_mean, surrogate
from rlft.types import Method, Update, published


@published
def gspo_token(low: float = 3e-4, high: float = 4e-4, epochs: int = 1, minibatches: int = 1) -> Method:
    """GSPO-token.

    Args:
        low: how far below 1 a row's ratio may move; the paper's, which is far smaller than a decision's.
        high: how far above 1 a row's ratio may move.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio = token_of_sequence(logp, sequence_ratio(logp, rollouts.logp_old, rollouts.mask))
        loss = ppo_clip(ratio, rollouts.advantages, low, high)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, low, high)}

    return Method(
        advantage=to_go_zscore,
        updates=(Update(surrogate(objective, reduce=sample_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
