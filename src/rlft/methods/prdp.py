"""PRDP: Proximal Reward Difference Prediction. Deng et al. 2024, arXiv:2402.08714.

The KL-regularised objective E[R] - beta KL(pi || pi_ref) as a regression: the policy predicts, by the difference of two
rows' log-ratios to the reference, the difference of their rewards. All pairs of a group, sampled from the policy as it
is now; a problem's own constant falls out of every pair.

    l    = ( [log pi/pi_ref(a) - log pi/pi_ref(b)] - (R_a - R_b)/beta )²
    loss = mean over pairs of max(l, the same with each log pi(d) held within ±clip of log pi_old(d))

Written for diffusion, where a decision is a denoising step, but nothing in it knows that. A row's log-ratio is the sum
over its D decisions. The paper's appendix averages it over T steps, and over the E dimensions of each: there, a beta is
this one times T·E, and a clip this one over E.
"""

import torch

from rlft.advantages import center, per_group
from rlft.losses.pairs import differences, proximal, proximal_reward_difference
from rlft.losses.surrogate import drift
from rlft.types import Method, Total, Update, published


@published
def prdp(beta: float = 0.1, clip: float = 0.2, epochs: int = 1, minibatches: int = 1) -> Method:
    """PRDP.

    Args:
        beta: weight of the KL to the reference in the objective, in units of reward a nat of the whole row.
        clip: how far a decision's log-probability may move, in nats, before its pull stops; infinite is plain RDP.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def loss(policy, rollouts) -> Total:
        logp, mask = policy.log_prob(rollouts), rollouts.mask

        def row(decisions):
            return torch.where(mask, decisions - rollouts.logp_ref, 0).sum(1).reshape(-1, rollouts.group)

        # a row that was not scored stands in no pair
        rewards = rollouts.rewards.reshape(-1, rollouts.group).to(logp.dtype)
        known = differences(rewards).isfinite()
        rewards = rewards.nan_to_num(nan=0.0)
        losses = proximal_reward_difference(row(logp), row(proximal(logp, rollouts.logp_old, clip)), rewards, beta)
        means, peaks = drift(logp, rollouts)
        held = (logp.detach() - rollouts.logp_old).abs() > clip
        means["clipped"] = (torch.where(mask, held, False).to(logp.dtype).sum(), mask.sum())
        return Total(torch.where(known, losses, 0).sum(), known.sum(), means, peaks)

    return Method(
        advantage=per_group(center),
        updates=(Update(loss),),
        reference=True,
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
        whole_groups=True,
    )
