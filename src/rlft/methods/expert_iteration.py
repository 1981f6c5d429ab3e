"""Expert iteration. Anthony et al. 2017, arXiv:1705.08439; for language models ReST-EM, Singh et al. 2023,
arXiv:2312.06585.

Differs from `raft` in what is kept: every row whose reward reaches a threshold, however many of a problem's those are.

    loss = 1/(sum of the kept rows' decisions) sum over kept rows, d of -log pi(d)
"""

from rlft.advantages import at_least, per_group
from rlft.losses import policy_gradient
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Update, published


@published
def expert_iteration(threshold: float = 1.0, epochs: int = 1, minibatches: int = 1) -> Method:
    """Expert iteration.

    Args:
        threshold: the least reward of a row that is imitated.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        return policy_gradient(logp, rollouts.advantages)

    return Method(
        advantage=per_group(at_least(threshold)),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        epochs=epochs,
        minibatches=minibatches,
    )
