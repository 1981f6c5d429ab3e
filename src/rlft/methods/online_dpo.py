"""Online DPO. Guo et al. 2024, arXiv:2402.04792; the loss is DPO's, Rafailov et al. 2023, arXiv:2305.18290, Eq. 7.

The best and the worst row of each group make a pair, labelled by the reward, from the policy as it is now.

    loss = mean over pairs of -log sigmoid(beta [ log pi/pi_ref(best) - log pi/pi_ref(worst) ])

Groups whose rewards are all equal make no pair.
"""

import torch

from rlft.advantages import per_group, zscore
from rlft.losses import dpo
from rlft.losses.surrogate import drift
from rlft.types import Method, Total, Update, published


@published
def online_dpo(beta: float = 0.1, epochs: int = 1, minibatches: int = 1) -> Method:
    """Online DPO.

    Args:
        beta: weight of the KL in the objective that DPO solves, nats a row.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def loss(policy, rollouts) -> Total:
        logp = policy.log_prob(rollouts)
        ratio = torch.where(rollouts.mask, logp - rollouts.logp_ref, 0).sum(1).reshape(-1, rollouts.group)
        # a row that was not scored stands in neither place
        rewards = rollouts.rewards.reshape(-1, rollouts.group)
        high, best = rewards.nan_to_num(nan=-torch.inf).max(1, keepdim=True)
        low, worst = rewards.nan_to_num(nan=torch.inf).min(1, keepdim=True)
        pair = (high > low)[:, 0]
        losses = dpo(ratio.gather(1, best), ratio.gather(1, worst), beta)[:, 0]
        return Total(torch.where(pair, losses, 0).sum(), pair.sum(), *drift(logp, rollouts))

    return Method(
        advantage=per_group(zscore),
        updates=(Update(loss),),
        reference=True,
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
        whole_groups=True,
    )
