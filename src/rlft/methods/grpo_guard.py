"""GRPO-Guard: a ratio that the clip can hold, for flows. Wang et al. 2025, arXiv:2510.22319, on Flow-GRPO, Liu et al.
2025, arXiv:2505.05470.

Differs from `grpo` on a flow in the ratio and in the weight of a step. Averaged over a latent's numbers, a log-ratio
has a mean below 0 that grows with every update, and a spread of each step's own, so that a clip around 1 stops rows
with A < 0 and hardly ever one with A > 0. Taken back to a mean of 0 and times the step's std s, what is left of it is

    rho_d = exp( mean over numbers of  z · (mu - mu_old) ),     z the noise of the step:  x' = mu_old + s z
          = exp( s (log pi/pi_old + mean (mu - mu_old)² / (2 s²)) )
    loss  = mean_i mean_d -min(rho A_i, clip(rho, 1-clip, 1+clip) A_i) / dt_d
    A_i   = (R_i - mean R over the group) / std R over the batch

dt is the step's length, by which gradients of steps differ. Without a KL, as the paper has it.
"""

import torch

from rlft.advantages import group_mean_batch_std, per_batch
from rlft.losses import clipped, ppo_clip
from rlft.losses.surrogate import sample_mean
from rlft.types import Displaced, Method, Total, Update, published


@published
def grpo_guard(clip: float = 2e-6, epochs: int = 1, minibatches: int = 1) -> Method:
    """GRPO-Guard.

    Args:
        clip: how far the ratio may move from 1. It is a mean over a latent's numbers, so that large latents need
            little: published code has 2e-6 for Stable Diffusion 3; of E numbers it falls as one over the root of E.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def loss(policy, rollouts) -> Total:
        ratio = policy.displaced(rollouts).exp()
        spans = policy.spans().to(ratio)
        held = ppo_clip(ratio, rollouts.advantages, clip, clip)
        total = sample_mean(held / spans, rollouts.mask)
        decided = rollouts.mask.sum()
        stopped = clipped(ratio.detach(), rollouts.advantages, clip, clip)
        means = {
            "ratio/mean": (torch.where(rollouts.mask, ratio.detach(), 0).sum(), decided),
            "clipped": (torch.where(rollouts.mask, stopped.to(ratio.dtype), 0).sum(), decided),
        }
        first = torch.where(rollouts.mask, ratio.detach() - 1, 0).abs().amax()
        return Total(total.sum, total.weight, means, {"ratio/first": first})

    return Method(
        advantage=per_batch(group_mean_batch_std),
        updates=(Update(loss),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
        needs=(Displaced,),
    )
