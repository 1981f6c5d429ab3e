"""How likely a group of rollouts has something to teach: a baseline from the group learns nothing of equal rewards."""

from __future__ import annotations

import math


def informative(rate: float, group: int) -> float:
    """1 - p^G - (1 - p)^G: that of G independent rows, each right with probability p, some are right and some wrong.

    It rises with G, and most where p is near 0 or 1. How many informative groups M rows make, M/G P(G), falls with G
    all the same: of 64 rows with p = .01, 8 groups of 8 make .62, one of 64 makes .47.
    """
    return 1 - rate**group - (1 - rate) ** group


def flat(rate: float, group: int) -> float:
    """p^G + (1 - p)^G: that all of G rows earn the same, so that advantages within the group are zero."""
    return rate**group + (1 - rate) ** group


def flat_after(right: int, of: int, group: int) -> float:
    """The same of a problem of which one knows only that so many of k draws were right.

    The mean of p^G + (1 - p)^G over the posterior Beta(r + 1, k - r + 1), if before any draw every p is as likely as
    any other: prod_i (r + 1 + i) / (k + 2 + i) + prod_i (k - r + 1 + i) / (k + 2 + i), i = 0 … G - 1.
    """
    below = math.prod(of + 2 + i for i in range(group))
    return sum(math.prod(count + 1 + i for i in range(group)) / below for count in (right, of - right))
