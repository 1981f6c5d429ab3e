"""How likely a group of rollouts has something to teach: a baseline from the group learns nothing of equal rewards."""

from __future__ import annotations


def informative(rate: float, group: int) -> float:
    """1 - p^G - (1 - p)^G: that of G independent rows, each right with probability p, some are right and some wrong.

    So large groups pay where p is near 0 or 1; at a fixed number of rows, M = G problems, the number of informative
    groups is (M / G) P(G), which falls with G all the same: 8 groups of 8 rows have 0.62 for p = .01, one of 64 has 0.47.
    """
    return 1 - rate**group - (1 - rate) ** group
