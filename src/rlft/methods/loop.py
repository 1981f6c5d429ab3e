"""LOOP: Leave-One-Out PPO. Gupta et al. 2025, arXiv:2503.00897, Eq. 12.

REINFORCE's variance reduction, G samples of each prompt judged against the mean of the others, inside PPO's clip; no
critic, no KL, no deviation. Written for diffusion, where a decision is a denoising step, but nothing in it knows that.

    A_i  = R_i - mean_{j != i} R_j
    loss = 1/N sum_i sum_d -min(r A_i, clip(r, 1-clip, 1+clip) A_i)

With one update a batch its gradient is that of `rloo`.
"""

from rlft.advantages import leave_one_out, per_group
from rlft.losses.surrogate import clip_objective, sample_sum, surrogate
from rlft.types import Method, Update, published


@published
def loop(clip: float = 0.2, epochs: int = 1, minibatches: int = 2) -> Method:
    """LOOP.

    Args:
        clip: how far a decision's ratio may move from 1; for a diffusion policy its scale depends on how the policy
            reduces a latent's dimensions.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    return Method(
        advantage=per_group(leave_one_out),
        updates=(Update(surrogate(clip_objective(clip, clip), reduce=sample_sum)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
