"""Dr. GRPO: GRPO without its two biases. Liu et al. 2025, arXiv:2503.20783, Eq. 3.

Differs from `grpo` in three places: no division by the group's deviation, no division by a row's own length, no KL.

    A_i  = R_i - mean R
    loss = 1/N sum_i 1/length sum_d -min(r A_i, clip(r, 1-clip, 1+clip) A_i)
"""

from rlft.advantages import center, per_group
from rlft.losses.surrogate import clip_objective, fixed_length, surrogate
from rlft.types import Method, Update, published


@published
def dr_grpo(length: int, clip: float = 0.2, epochs: int = 1, minibatches: int = 1) -> Method:
    """Dr. GRPO.

    Args:
        length: the budget of decisions in a row (`max_new_tokens`, denoising steps, horizon), a constant divisor.
        clip: how far the ratio may move from 1.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    return Method(
        advantage=per_group(center),
        updates=(Update(surrogate(clip_objective(clip, clip), reduce=fixed_length(length))),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
