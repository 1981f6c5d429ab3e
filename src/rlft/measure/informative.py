"""How likely a group of rollouts has something to teach: a baseline from the group learns nothing of equal rewards."""

from __future__ import annotations


def informative(rate: float, group: int) -> float:
    """1 - p^G - (1 - p)^G: that of G independent rows, each right with probability p, some are right and some wrong.

    It rises with G, and most where p is near 0 or 1. How many informative groups M rows make, M/G P(G), falls with G
    all the same: of 64 rows with p = .01, 8 groups of 8 make .62, one of 64 makes .47.
    """
    return 1 - rate**group - (1 - rate) ** group
