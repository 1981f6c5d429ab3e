"""RLOO: REINFORCE Leave-One-Out. Ahmadian et al. 2024, arXiv:2402.14740, Eq. 8; Kool et al. 2019.

Differs from `reinforce` in the baseline: the mean reward of the *other* rows of the same problem, which leaves the
gradient unbiased and takes out what is due to the problem.

    A_i  = R_i - mean_{j != i} R_j
    loss = 1/N sum_i sum_d -A_i log pi(d)
"""

from rlft.advantages import leave_one_out, per_group
from rlft.losses import policy_gradient
from rlft.losses.surrogate import sample_sum, surrogate
from rlft.types import Method, Update, published


@published
def rloo() -> Method:
    """REINFORCE with a leave-one-out baseline."""

    def objective(logp, rollouts):
        return policy_gradient(logp, rollouts.advantages)

    return Method(
        advantage=per_group(leave_one_out),
        updates=(Update(surrogate(objective, reduce=sample_sum)),),
        min_group=2,
    )
