"""PPO with a critic. Schulman et al. 2017, arXiv:1707.06347; for language models Ouyang et al. 2022, arXiv:2203.02155.

A critic judges each decision, generalised advantage estimation spreads the reward over them, and actor and critic are
two updates with optimisers of their own. A KL to the reference, if any, is paid in the reward of each decision.

    r_d  = reward at d - beta log(pi_old/pi_ref)
    A_d  = GAE(gamma, lam) of r and V, whitened over the batch;    returns = A_d + V_d before whitening
    loss = mean_d -min(r A_d, clip(r, 1-clip, 1+clip) A_d)
    value loss = mean_d 1/2 max((V - returns)², (V_old + clip(V - V_old, ±value_clip) - returns)²)

A row that its world cut off is bootstrapped, and goes on as the batch's other rows do (`advantages.past_cuts`). The
horizon is a cut too for a critic without a clock; one that sees it takes the horizon for the end
(`policies.control.policy`).
Methods without a critic take every cut for an end.
"""

from rlft.advantages import gae
from rlft.losses import value_clip as clipped_value_loss
from rlft.losses.surrogate import clip_objective, surrogate, token_mean
from rlft.types import Method, Total, Update, critic_parameters, published


@published
def ppo(
    clip: float = 0.2,
    value_clip: float = 0.2,
    gamma: float = 1.0,
    lam: float = 0.95,
    beta: float = 0.0,
    value_lr: float = 1.0,
    epochs: int = 4,
    minibatches: int = 1,
) -> Method:
    """PPO.

    Args:
        clip: how far the ratio may move from 1.
        value_clip: how far the critic may move from its old value before its gradient stops, in units of reward.
        gamma: discount of each decision.
        lam: GAE's mixing; 1 is the whole return, 0 one-step temporal difference.
        beta: weight of the KL to the reference in the reward, nats; 0 needs no reference.
        value_lr: the critic's learning rate, in units of the policy's.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def value_loss(policy, rollouts) -> Total:
        loss = clipped_value_loss(policy.value(rollouts), rollouts.values, rollouts.returns, value_clip)
        return token_mean(loss, rollouts.mask)

    return Method(
        advantage=gae(gamma, lam, beta),
        updates=(
            Update(surrogate(clip_objective(clip, clip), reduce=token_mean)),
            Update(value_loss, critic_parameters, name="value", lr=value_lr),
        ),
        reference=beta > 0,
        critic=True,
        epochs=epochs,
        minibatches=minibatches,
    )
