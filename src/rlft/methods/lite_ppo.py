"""Lite PPO. Liu et al. 2025, "Part I: Tricks or Traps?", arXiv:2508.08221, Section 6.

Two tricks on plain PPO without a critic: the mean of the group with the deviation of the batch, and the token mean.
No KL, no dynamic sampling, no overlong filter, one clip.

    A_i  = (R_i - mean over the group of R) / (std over the batch of R)
    loss = 1/(sum_i |i|) sum_i sum_d -min(r A_i, clip(r, 1-clip, 1+clip) A_i)
"""

from rlft.advantages import group_mean_batch_std, per_batch
from rlft.losses.surrogate import clip_objective, surrogate, token_mean
from rlft.types import Method, Update, published


@published
def lite_ppo(clip: float = 0.2, epochs: int = 1, minibatches: int = 1) -> Method:
    """Lite PPO.

    Args:
        clip: how far the ratio may move from 1.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    return Method(
        advantage=per_batch(group_mean_batch_std),
        updates=(Update(surrogate(clip_objective(clip, clip), reduce=token_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
