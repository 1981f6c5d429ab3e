"""Alpamayo-R1's loss as printed: a group's rows imitated by the softmax of their rewards. Wang et al. 2025,
arXiv:2511.00088.

Differs from `grpo`, which the paper calls it and its released recipe is, in that every row is made likelier, the better
ones more: no row is unlearned, no ratio is clipped, and nothing is divided by a deviation.

    w_i  = softmax(temper A)_i,  A_i = R_i - mean R        over the G rows of a problem; a baseline cancels
    loss = mean over problems of -sum_i w_i (log pi(row i) - beta KL_i),   KL_i = sum_d k3(pi_ref, pi)

log pi(row i) is the sum over its decisions. At temper 0 the rows are imitated as they come, which on average changes
nothing; as it grows it is `raft`, but for the sum over decisions.
"""

from rlft.advantages import per_group, softmax
from rlft.losses import kl_k3, policy_gradient
from rlft.losses.surrogate import sample_sum, surrogate
from rlft.types import Method, Update, UserError, published


@published
def alpamayo_r1(temper: float = 1.0, beta: float = 0.0, epochs: int = 1, minibatches: int = 1) -> Method:
    """Alpamayo-R1's softmax-weighted group loss.

    Args:
        temper: how much more a better row counts, in 1/reward; the paper's beta, whose value is not in its text as we
            had it.
        beta: weight of the KL to the reference, per row, the paper's lambda; 0 needs no reference.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    if not temper >= 0:
        raise UserError(f"temper={temper} must be at least 0; below it worse rows would count more")

    def objective(logp, rollouts):
        loss = policy_gradient(logp, rollouts.advantages)
        return loss + beta * rollouts.advantages * kl_k3(logp, rollouts.logp_ref) if beta else loss

    return Method(
        advantage=per_group(softmax(temper)),
        updates=(Update(surrogate(objective, reduce=sample_sum)),),
        reference=beta > 0,
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
