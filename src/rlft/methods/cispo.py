"""CISPO: clipped importance-sampling weights. MiniMax 2025 (MiniMax-M1), arXiv:2506.13585, Eq. 4 and 5.

Differs from `dapo`'s loss in what is clipped: the weight in front of the score function and not the update, so every
decision keeps a gradient however far its ratio has moved.

    loss = 1/(sum_i |i|) sum_i sum_d -sg(clip(r, 1-low, 1+high)) A_i log pi(d),    A_i = (R_i - mean R) / std R
"""

from rlft.advantages import per_group, zscore
from rlft.losses import cispo_weight, policy_gradient
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Update, published


@published
def cispo(low: float = 1.0, high: float = 0.28, epochs: int = 1, minibatches: int = 1) -> Method:
    """CISPO.

    Args:
        low: how far below 1 a weight may be; 1 is no lower bound, as in the paper's runs.
        high: how far above 1 a weight may be.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        weight = cispo_weight(ratio, low, high)
        return weight * policy_gradient(logp, rollouts.advantages), {"clipped": weight != ratio}

    return Method(
        advantage=per_group(zscore),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
