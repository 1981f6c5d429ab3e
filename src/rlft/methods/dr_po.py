"""Dataset reset policy optimisation. Chang et al. 2024, arXiv:2404.08495, Algorithm 1 with PPO.

Differs from `ppo` in where rows start: a share of the groups starts inside a demonstration, after its first h
decisions, h uniform on 1 … length - 1. What the demonstrator decided has no gradient and no value; it only brings rows
to states that the policy would hardly reach, from where a rare reward is near.

    r_d  = reward at d - beta log(pi_old/pi_ref)              d on the policy's own decisions
    A_d  = GAE(gamma, lam) of r and V, whitened over the batch
    loss = mean_d -min(r A_d, clip(r, 1-clip, 1+clip) A_d)

The critic is fitted on the policy's own decisions alone; the authors' code fits it on the demonstrator's as well.
share=0 is `ppo` draw for draw.
"""

from dataclasses import replace

from rlft.collect.resets import resets
from rlft.methods.ppo import ppo
from rlft.types import Method, Resumable, Teachable, published


@published
def dr_po(
    share: float = 1.0,
    clip: float = 0.2,
    value_clip: float = 0.2,
    gamma: float = 1.0,
    lam: float = 0.95,
    beta: float = 0.05,
    value_lr: float = 1.0,
    epochs: int = 4,
    minibatches: int = 1,
) -> Method:
    """DR-PO.

    Args:
        share: of each step's problems that start inside their demonstration; 1 is the paper's main setting, 0 is PPO.
        clip: how far the ratio may move from 1.
        value_clip: how far the critic may move from its old value before its gradient stops, in units of reward.
        gamma: discount of each decision.
        lam: GAE's mixing; 1 is the whole return, 0 one-step temporal difference.
        beta: weight of the KL to the reference in the reward, nats; 0 needs no reference.
        value_lr: the critic's learning rate, in units of the policy's.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    start = ppo(clip, value_clip, gamma, lam, beta, value_lr, epochs, minibatches)
    return replace(start, collect=resets(share), needs=(Teachable, Resumable) if share else ())
