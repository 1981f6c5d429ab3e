"""REINFORCE++. Hu 2025, arXiv:2501.03262, Eq. 5 to 8.

PPO's clipped loss without a critic: each decision is credited with the reward that follows it, from which the KL to the
reference is paid decision by decision, and the whole batch is normalised at once. One row a problem is enough.

    A_d  = R - beta sum_{d' >= d} log(pi_old/pi_ref)(d'),    then (A - mean) / std over all decisions of the batch
    loss = mean_d -min(r A_d, clip(r, 1-clip, 1+clip) A_d)
"""

from rlft.advantages import return_to_go, rewards_of_decisions, whiten
from rlft.losses.surrogate import clip_objective, surrogate, token_mean
from rlft.types import Method, Update, published


@published
def reinforce_pp(
    clip: float = 0.2, beta: float = 0.01, gamma: float = 1.0, epochs: int = 1, minibatches: int = 1
) -> Method:
    """REINFORCE++.

    Args:
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference in the reward, nats; 0 needs no reference.
        gamma: discount of each decision.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def advantage(rollouts, runtime):
        credit = return_to_go(rewards_of_decisions(rollouts, beta), rollouts.mask, gamma)
        return whiten(credit, rollouts.mask, runtime)

    return Method(
        advantage=advantage,
        updates=(Update(surrogate(clip_objective(clip, clip), reduce=token_mean)),),
        reference=beta > 0,
        epochs=epochs,
        minibatches=minibatches,
    )
