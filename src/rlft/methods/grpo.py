"""GRPO: Group Relative Policy Optimization. Shao et al. 2024, arXiv:2402.03300, Eq. 3 and 4.

PPO's clipped surrogate without a critic: a row is judged against the others drawn for the same problem. The KL to the
reference is part of the loss, not of the reward.

    A_i  = (R_i - mean R) / std R                 over the G rows of a problem
    loss = mean_i mean_d [ -min(r A_i, clip(r, 1-clip, 1+clip) A_i) + beta (pi_ref/pi - log pi_ref/pi - 1) ]
"""

from rlft.advantages import per_group, zscore
from rlft.losses import clipped, kl_k3, ppo_clip
from rlft.losses.surrogate import sample_mean, surrogate
from rlft.types import Method, Update, published


@published
def grpo(clip: float = 0.2, beta: float = 0.04, epochs: int = 1, minibatches: int = 1) -> Method:
    """GRPO.

    Args:
        clip: how far the ratio may move from 1 before its gradient stops.
        beta: weight of the KL to the reference, per decision; 0 needs no reference.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        loss = ppo_clip(ratio, rollouts.advantages, clip, clip)
        if beta:
            loss = loss + beta * kl_k3(logp, rollouts.logp_ref)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, clip, clip)}

    return Method(
        advantage=per_group(zscore),
        updates=(Update(surrogate(objective, reduce=sample_mean)),),
        reference=beta > 0,
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
