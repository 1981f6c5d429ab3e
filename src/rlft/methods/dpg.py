"""DPG: Distributional Policy Gradient, the training of GDC. Parshakova et al. 2019, arXiv:1912.08517; Khalifa et al.
2020, arXiv:2012.11635; with a baseline Korbak et al. 2022, arXiv:2206.00761.

Differs from `kl_control` in the divergence to the same target p = P/Z, P = pi_ref exp(r/beta): the forward KL(p || pi).
It covers p, where the reverse KL prefers to leave out a part.

    w_i  = P/(Z q)(row i)          q is the policy that drew row i, Z the mean of P/q so far
    loss = 1/N sum_i sum_d -(w_i - baseline pi/q(row i)) log pi(d)

The weights make it right for any q that reaches all of p, so a batch may be used again. Here q is the policy at the
start of the step, as in the papers' on-policy runs; KL-adaptive DPG samples from the best policy so far. At pi = q = p
every w is 1, and with the baseline the estimate has no variance left. `rewards.moments` gives targets by their moments,
to be used with beta 1.
"""

import torch

from rlft.advantages.energy import ImportanceWeight
from rlft.losses import policy_gradient
from rlft.losses.surrogate import sample_sum, surrogate
from rlft.types import Method, Update, published


@published
def dpg(beta: float = 0.1, baseline: float = 1.0, epochs: int = 1, minibatches: int = 1) -> Method:
    """Distributional policy gradient.

    Args:
        beta: temperature of the target, in units of reward a nat.
        baseline: what a row's weight is compared with; 0 is DPG without one, and at 1 nothing is left at the target.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        moved = torch.where(rollouts.mask, logp.detach() - rollouts.logp_old, 0).sum(1, keepdim=True)
        return policy_gradient(logp, rollouts.advantages - baseline * moved.exp())

    return Method(
        advantage=ImportanceWeight(beta),
        updates=(Update(surrogate(objective, reduce=sample_sum)),),
        reference=True,
        epochs=epochs,
        minibatches=minibatches,
    )
