"""DDPO: Denoising Diffusion Policy Optimization (the importance-sampling variant). Black et al. 2023, arXiv:2305.13301.

PPO's clip on every denoising step, with the rewards a prompt has earned so far as its baseline: no critic, no group.
Written for diffusion, where a decision is a denoising step, but nothing in it knows that.

    A    = clamp( (R - mean) / std over the prompt's last `buffer` rewards, ±5 )
    loss = mean_i mean_d -min(r A_i, clip(r, 1-clip, 1+clip) A_i)

The paper's clip of 1e-4 belongs to log-probabilities averaged over the latent's dimensions (`event="mean"`).
"""

import torch

from rlft.advantages import PromptStatistics
from rlft.losses import clipped, ppo_clip
from rlft.losses.surrogate import sample_mean, surrogate
from rlft.types import Method, Update, published


@published
def ddpo(
    clip: float = 1e-4,
    buffer: int = 16,
    at_least: int = 16,
    largest: float = 5.0,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """DDPO.

    Args:
        clip: how far a decision's ratio may move from 1.
        buffer: rewards that each prompt remembers.
        at_least: rewards a prompt must have seen before its own statistics are used instead of the batch's.
        largest: bound on the size of an advantage.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        advantages = torch.clamp(rollouts.advantages, -largest, largest)
        return ppo_clip(ratio, advantages, clip, clip), {"clipped": clipped(ratio, advantages, clip, clip)}

    return Method(
        advantage=PromptStatistics(buffer, at_least),
        updates=(Update(surrogate(objective, reduce=sample_mean)),),
        epochs=epochs,
        minibatches=minibatches,
    )
