"""Critiques as sets of units, a place and what is wrong there, against the errors that there are. Asks nobody."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from rlft.errors import UserError


@dataclass(frozen=True)
class Found:
    """How many units a critique names, how many there are, and how many of both are the same.

    With `said + true = 0`, nothing wrong and nothing said, all three numbers are 1.
    """

    right: int
    said: int
    true: int

    @property
    def precision(self) -> float:
        """right / said; where nothing is said 1 if there is nothing to say, else 0."""
        return self.right / self.said if self.said else float(not self.true)

    @property
    def recall(self) -> float:
        """right / true; where nothing is wrong 1 if nothing is said, else 0."""
        return self.right / self.true if self.true else float(not self.said)

    @property
    def f1(self) -> float:
        """2 right / (said + true), the harmonic mean of precision and recall."""
        return 2 * self.right / (self.said + self.true) if self.said + self.true else 1.0


def found(said: Set[Any], true: Set[Any]) -> Found:
    """A critique against the errors that there are."""
    return Found(len(said & true), len(said), len(true))


def together(all_: Sequence[Found]) -> Found:
    """Counts over all rows before anything is divided: micro averages."""
    return Found(sum(one.right for one in all_), sum(one.said for one in all_), sum(one.true for one in all_))


def union_recall(missed: Sequence[float]) -> float:
    """1 - Π m_i: the recall of the union of critics that miss an error with these chances, each for itself."""
    if not all(0 <= one <= 1 for one in missed):
        raise UserError(f"chances to miss an error are from 0 to 1; got {list(missed)}")
    return 1.0 - math.prod(missed)
