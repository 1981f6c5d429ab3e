"""KL control: a policy gradient that ends at a posterior. Korbak et al. 2022, arXiv:2205.11275; Jaques et al. 2017,
arXiv:1611.02796.

Differs from `rloo` in the reward, out of which a row pays for its distance to the reference; a whole row pays at once.

    R_i  = r_i - beta log(pi_old/pi_ref)(row i) - entropy log pi_old(row i)
    A_i  = R_i - mean_{j != i} R_j
    loss = 1/N sum_i sum_d -A_i log pi(d)

It climbs J = E[r] - beta KL(pi || pi_ref) + entropy H(pi). With b = beta + entropy and p = pi_ref^(beta/b) exp(r/b) / Z
that is b log Z - b KL(pi || p), so the fixed point is p: without the bonus the posterior pi_ref exp(r/beta) / Z,
without the reference exp(r/entropy) / Z. There R is the same for all rows of a problem, and the estimate has no
variance left. With both weights 0 it is `rloo`.
"""

from rlft.advantages import kl_in_reward, leave_one_out
from rlft.losses import policy_gradient
from rlft.losses.surrogate import sample_sum, surrogate
from rlft.types import Method, Update, published


@published
def kl_control(beta: float = 0.1, entropy: float = 0.0) -> Method:
    """KL-regularised policy gradient.

    Args:
        beta: weight of KL(policy || reference), in units of reward a nat; 0 needs no reference.
        entropy: weight of the policy's entropy, in the same units.
    """

    def advantage(rollouts, runtime):
        paid = rollouts.rewards - entropy * rollouts.logp_old.sum(1)
        if beta:
            paid = paid - beta * kl_in_reward(rollouts).sum(1)
        return leave_one_out(paid.reshape(-1, rollouts.group)).reshape(-1)

    def objective(logp, rollouts):
        return policy_gradient(logp, rollouts.advantages)

    return Method(
        advantage=advantage,
        updates=(Update(surrogate(objective, reduce=sample_sum)),),
        reference=beta > 0,
        min_group=2,
    )
