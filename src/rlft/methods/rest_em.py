"""ReST-EM: expert iteration in rounds, each from the base. Singh et al. 2023, arXiv:2312.06585, Algorithm 1; so also
"Echo Chamber", Zhao et al. 2025, arXiv:2504.07912.

A step is a round: the policy as it is draws rows, the right ones are kept, equal ones once, and the *base* is
fine-tuned on them, so that what is left of earlier rounds is only that they drew the rows.

    D      = rows of pi_(i-1) with R >= threshold, without copies
    loss   = 1/(sum of lengths in D) sum over D, d of -log pi(d)          from pi = pi_0, with a new optimiser
    pi_i   = what `epochs` passes over D in `minibatches` steps each make of it

Give a step as many prompts and rows as a round is to have. With start="online" a round goes on from the last one, and
with copies=None besides it is `expert_iteration`, bit for bit. Where every row is right and differs from the others it
is `sft` on the draws.
"""

from typing import Literal

from rlft.advantages.kept import kept
from rlft.losses import policy_gradient
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Update, published


@published
def rest_em(
    threshold: float = 1.0,
    copies: int | None = 1,
    most: int | None = None,
    start: Literal["base", "online"] = "base",
    epochs: int = 2,
    minibatches: int = 1,
) -> Method:
    """ReST-EM.

    Args:
        threshold: the least reward of a row that is imitated.
        copies: of rows of a problem that are equal, so many are imitated; none is all.
        most: rows of a problem that are imitated, the first; ReST-EM has 10, Echo Chamber all of them.
        start: what a round fine-tunes: the base, as published, or the last round's policy.
        epochs: passes over each round's rows.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        return policy_gradient(logp, rollouts.advantages)

    return Method(
        advantage=kept(threshold, copies, most),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        anew=start == "base",
    )
