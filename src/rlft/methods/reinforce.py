"""REINFORCE. Williams 1992, "Simple statistical gradient-following algorithms", Eq. 11.

The plain score-function estimate with the batch's mean reward as its baseline: one optimiser step for each batch, no
ratio, no clip.

    A_i  = R_i - mean over the batch of R
    loss = 1/N sum_i sum_d -A_i log pi(d)
"""

from rlft.advantages import batch_baseline, per_batch
from rlft.losses import policy_gradient
from rlft.losses.surrogate import sample_sum, surrogate
from rlft.types import Method, Update, published


@published
def reinforce() -> Method:
    """REINFORCE with the batch's mean as baseline."""

    def objective(logp, rollouts):
        return policy_gradient(logp, rollouts.advantages)

    return Method(
        advantage=per_batch(batch_baseline),
        updates=(Update(surrogate(objective, reduce=sample_sum)),),
    )
