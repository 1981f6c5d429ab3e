"""PPO with an entropy bonus. Schulman et al. 2017, arXiv:1707.06347, Eq. 9; Williams and Peng 1991.

Differs from `ppo` in one term, which pays for undecided decisions at the states that were met:

    loss = mean_d [ -min(r A_d, clip(r, 1-clip, 1+clip) A_d) - entropy · H(pi(.|s_d)) ]

The entropy is estimated from the decision that was taken, as r sg(log pi), so that it costs no second forward pass and
means the same for tokens, actions and denoising steps.
"""

from dataclasses import replace

from rlft.losses import clipped, ppo_clip
from rlft.losses.entropy import negative_entropy
from rlft.losses.surrogate import surrogate, token_mean
from rlft.methods.ppo import ppo
from rlft.types import Method, published


@published
def ppo_entropy(
    entropy: float = 0.01,
    clip: float = 0.2,
    value_clip: float = 0.2,
    gamma: float = 1.0,
    lam: float = 0.95,
    beta: float = 0.0,
    value_lr: float = 1.0,
    epochs: int = 4,
    minibatches: int = 1,
) -> Method:
    """PPO with an entropy bonus.

    Args:
        entropy: weight of the entropy of each decision, in units of whitened advantages a nat; 0 is `ppo`.
        clip: how far the ratio may move from 1.
        value_clip: how far the critic may move from its old value before its gradient stops, in units of reward.
        gamma: discount of each decision.
        lam: GAE's mixing.
        beta: weight of the KL to the reference in the reward, nats; 0 needs no reference.
        value_lr: the critic's learning rate, in units of the policy's.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    plain = ppo(clip, value_clip, gamma, lam, beta, value_lr, epochs, minibatches)

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        loss = ppo_clip(ratio, rollouts.advantages, clip, clip) + entropy * negative_entropy(ratio, logp)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, clip, clip)}

    actor, critic = plain.updates
    return replace(plain, updates=(replace(actor, loss=surrogate(objective, reduce=token_mean)), critic))
