"""RAFT: Reward rAnked FineTuning. Dong et al. 2023, arXiv:2304.06767, Algorithm 1.

Best-of-G imitation: of each problem's rows the best one is kept, and the policy is made likelier to draw it.

    loss = 1/(sum of the kept rows' decisions) sum over kept rows, d of -log pi(d)
"""

from rlft.advantages import best_of, per_group
from rlft.losses import policy_gradient
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Update, published


@published
def raft(epochs: int = 1, minibatches: int = 1) -> Method:
    """RAFT.

    Args:
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        return policy_gradient(logp, rollouts.advantages)

    return Method(
        advantage=per_group(best_of),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
