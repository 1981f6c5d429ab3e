"""Which problems are kept: those that every validator takes for well posed and rightly answered. Asks nobody.

With independent validators that take a bad problem with chance a_i and a good one with t_i, of problems of which a
share b is bad, the share of bad ones among the kept is

    b·Π a_i / (b·Π a_i + (1 - b)·Π t_i)

so that each further one that is better than chance (a_i < t_i) lowers it, and two that err together are one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rlft.errors import UserError
from rlft.synthesis.replies import object_in


@dataclass(frozen=True)
class Verdict:
    """What a validator says of a problem and its answer."""

    valid: bool
    correct: bool

    @property
    def takes(self) -> bool:
        """Whether it would keep it."""
        return self.valid and self.correct


def verdict(reply: str | None) -> Verdict | None:
    """The last object of a reply with `valid` and `correct`, which are true or false; None where there is none."""
    found = object_in(reply, "valid", "correct")
    if found is None or not all(isinstance(found[name], bool) for name in ("valid", "correct")):
        return None
    return Verdict(found["valid"], found["correct"])


def kept(verdicts: Sequence[Verdict | None]) -> bool:
    """Whether all take it; a reply that cannot be read is none that does. Without validators all is kept."""
    return all(one is not None and one.takes for one in verdicts)


def why_not(verdicts: Sequence[Verdict | None]) -> str:
    """The first reason against it: unread, invalid or incorrect."""
    for one in verdicts:
        if one is None:
            return "unread verdict"
        if not one.takes:
            return "incorrect" if one.valid else "invalid"
    raise ValueError("nothing is against it")


def bad_share(bad: float, taken_bad: Sequence[float], taken_good: Sequence[float]) -> float:
    """The share of bad ones among what is kept, for independent validators; NaN where nothing is.

    bad         b, their share before
    taken_bad   a_i, how often each takes a bad one
    taken_good  t_i, how often a good one
    """
    chances = [bad, *taken_bad, *taken_good]
    if len(taken_bad) != len(taken_good) or not all(0 <= one <= 1 for one in chances):
        raise UserError(f"chances of as many validators on either side, from 0 to 1; got {chances}")
    wrong, right = bad * math.prod(taken_bad), (1 - bad) * math.prod(taken_good)
    return wrong / (wrong + right) if wrong + right > 0 else math.nan
