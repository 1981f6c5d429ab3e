"""The chance of success within several draws. Numbers alone: it draws nothing."""

from __future__ import annotations

import math

from rlft.errors import UserError


def powers(most: int) -> list[int]:
    """The k that pass@k is said of: 1, 2, 4 … up to `most`."""
    return [2**power for power in range(most.bit_length()) if 2**power <= most]


def unbiased(right: int, drawn: int, k: int) -> float:
    """pass@k: the chance that k of the draws, taken without putting back, have a right one, 1 - C(n-c, k) / C(n, k)
    (arXiv:2107.03374, Eq. 1), an unbiased estimate of 1 - (1 - p)^k."""
    if not 0 <= right <= drawn or not 1 <= k <= drawn:
        raise UserError(
            f"of {drawn} draws {right} are right, and {k} are taken: expected 0 to {drawn}, and 1 to {drawn}"
        )
    return 1 - math.comb(drawn - right, k) / math.comb(drawn, k)
