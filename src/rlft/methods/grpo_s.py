"""GRPO-S: advantages scaled by how hard a row is. Cheng et al. 2025, "DR-IRL", arXiv:2503.18991.

Differs from `grpo` in the advantage, times two scales that compare a row y with what was demonstrated of its problem:

    d    = 1 - mean over y's sentences of the largest cosine with one of the demonstration's
    R    = r(x, demonstration) - r(x, y)
    A_i  = alpha_D alpha_M (R_i - mean R) / std R
    alpha_D = sigmoid(d_i) / sigmoid(mean d)          alpha_M = sigmoid(mean kept R) / sigmoid(mean R)
    loss = GRPO's

Rows unlike the demonstration weigh more; kept are the gaps R whose squared deviation is at most tau. The text we had
gives alpha_D to rows and alpha_M to groups, and does not say whose mean it is that the kept one is compared with: here
the group's own, or with `against="batch"` that of the batch, as DAMA (arXiv:2502.01943), where both come from, has a
running one. Where every row is as hard, or with by="none", it is `grpo`, draw for draw.
"""

from dataclasses import replace

from rlft.advantages.hardness import Against, By, Over, scaled_by_hardness
from rlft.collect.compared import Encode, by_counts, compared
from rlft.methods.grpo import grpo
from rlft.types import Method, Teachable, UserError, published


@published
def grpo_s(
    by: By = "both",
    tau: float = 1.0,
    over: Over = "row",
    against: Against = "group",
    steep: float = 1.0,
    encode: Encode | None = None,
    clip: float = 0.2,
    beta: float = 0.04,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """GRPO-S.

    Args:
        by: hardness of the data, the model's responsiveness, both, or none, which is grpo.
        tau: squared deviation of a gap from its group's mean up to which it counts, squared units of the reward.
        over: whether alpha_D is each row's, or the group's, by its mean.
        against: whose mean gap the kept ones are compared with.
        steep: what distances and gaps are multiplied by; the authors' is 1.
        encode: `M texts -> [M H]`, embeddings of sentences; by default counts of characters, and --sentences gives
            that of a sentence model.
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, per decision; 0 needs no reference.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    if not tau >= 0 or not steep > 0:
        raise UserError(f"tau is at least 0 and steep above 0; got tau={tau} and steep={steep}")
    start = grpo(clip, beta, epochs, minibatches)
    if by == "none":
        return start
    scaled = scaled_by_hardness(start.advantage, by, tau, over, against, steep)
    return replace(start, advantage=scaled, collect=compared(encode or by_counts), needs=(Teachable,))
