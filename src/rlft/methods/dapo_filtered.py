"""DAPO with its overlong filter. Yu et al. 2025, arXiv:2503.14476, Section 3.4.

Differs from `dapo` in what becomes of rows that the limit cut off: they are not punished for their length and have no
gradient of their own, since nobody knows how they would have ended; their group still counts them.

    A_i  = (R_i - mean R) / std R                 over all rows of the group
    loss = 1/(sum_i |i|) sum_i sum_d -min(r A_i, clip(r, 1-low, 1+high) A_i)     over rows below `limit` decisions

With a limit that no row reaches it is `dapo` without its punishment.
"""

from dataclasses import replace

from rlft.advantages.length import without_overlong
from rlft.methods.dapo import dapo
from rlft.types import Method, published


@published
def dapo_filtered(
    limit: int, low: float = 0.2, high: float = 0.28, rounds: int = 8, epochs: int = 1, minibatches: int = 1
) -> Method:
    """DAPO with its overlong filter.

    Args:
        limit: decisions at which a row counts as cut off, `max_new_tokens`.
        low: how far below 1 the ratio may move.
        high: how far above 1 the ratio may move.
        rounds: batches to draw at most in search of groups whose rewards differ.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    plain = dapo(low, high, rounds=rounds, epochs=epochs, minibatches=minibatches)
    return replace(plain, advantage=without_overlong(plain.advantage, limit))
