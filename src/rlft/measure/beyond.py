"""Whether a model solves what its base does not at so many draws: the measures of MATH-Beyond (arXiv:2510.11653).

R_k(p) are the problems of D that k draws from p solve at least once. Of a tuned model pi and its base q

    expanded  E = R_k(pi) \\ R_k(q)      lost  S = R_k(q) \\ R_k(pi)      kept  P = R_k(pi) & R_k(q)
    pass@k(pi) = (|E| + |P|) / |D|      pass@k(q) = (|S| + |P|) / |D|

A base that is drawn from again also solves what it did not: `by_chance` says how often, and it is the control.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlft.chances import unbiased
from rlft.errors import UserError


def by_chance(screened: int, k: int) -> float:
    """The chance that k new draws solve a problem which n draws of the same model did not: k / (n + k + 1).

    If before any draw every probability of success is as likely as any other: after n misses its density is
    (n + 1)(1 - p)^n, and the mean of (1 - p)^k is (n + 1) / (n + k + 1).
    """
    if screened < 0 or k < 0:
        raise UserError(f"numbers of draws are at least 0; got {screened} and {k}")
    return k / (screened + k + 1)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval over problems; NaN of no problem."""

    value: float
    low: float
    high: float
    of: int

    def __str__(self) -> str:
        return "" if math.isnan(self.value) else f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean_of(values: Sequence[float], draws: int = 1000) -> Estimate:
    """The mean, and its percentile interval over problems (Efron 1979), with a fixed seed.

    Where all values are alike no problem says how they vary: then that of Wilson (1927), of as many trials.
    """
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan, 0)
    table = np.asarray(values, dtype=float)
    mean, count = float(table.mean()), len(table)
    if table.min() == table.max():
        return Estimate(mean, *wilson(mean, count), count)
    picks = np.random.default_rng(0).integers(0, count, (draws, count))
    low, high = np.percentile(table[picks].mean(1), [2.5, 97.5])
    return Estimate(mean, float(low), float(high), count)


def wilson(share: float, count: int) -> tuple[float, float]:
    """The score interval of a share of so many trials, 95 % (Wilson 1927)."""
    z = 1.959963984540054
    middle, scale = share + z * z / (2 * count), 1 + z * z / count
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def pass_at(right: Sequence[int], drawn: int, k: int) -> Estimate:
    """pass@k of problems that were drawn so often, unbiased, with its interval over problems."""
    return mean_of([unbiased(count, drawn, k) for count in right])


@dataclass(frozen=True)
class Boundary:
    """What became of each problem: the places of those of D in each set.

    expanded, lost, kept, never   E, S, P, and those that neither solves
    consolidated                  of those kept, the ones of which more draws are right than of the base's
    """

    expanded: tuple[int, ...]
    lost: tuple[int, ...]
    kept: tuple[int, ...]
    never: tuple[int, ...]
    consolidated: tuple[int, ...]

    @property
    def size(self) -> int:
        """|D|."""
        return sum(map(len, (self.expanded, self.lost, self.kept, self.never)))

    @property
    def expansion(self) -> Estimate:
        """|E| by the problems that the base does not solve: pass@k(pi) where it solves none."""
        return _share(self.expanded, self.never)

    @property
    def shrinkage(self) -> Estimate:
        """|S| by the problems that the base solves."""
        return _share(self.lost, self.kept)

    @property
    def preservation(self) -> Estimate:
        """|P| by the problems that the base solves."""
        return _share(self.kept, self.lost)

    @property
    def consolidation(self) -> Estimate:
        """The share of kept problems that are consolidated."""
        return _share(self.consolidated, sorted(set(self.kept) - set(self.consolidated)))


def boundary(base: Sequence[int], tuned: Sequence[int]) -> Boundary:
    """From how many of k draws are right, of each problem, of the base and of the tuned model."""
    if len(base) != len(tuned):
        raise UserError(f"the base was drawn from for {len(base)} problems, the tuned model for {len(tuned)}")
    sets: dict[tuple[bool, bool], list[int]] = {(q, p): [] for q in (False, True) for p in (False, True)}
    for place, (q, p) in enumerate(zip(base, tuned, strict=True)):
        sets[q > 0, p > 0].append(place)
    kept = sets[True, True]
    return Boundary(
        expanded=tuple(sets[False, True]),
        lost=tuple(sets[True, False]),
        kept=tuple(kept),
        never=tuple(sets[False, False]),
        consolidated=tuple(place for place in kept if tuned[place] > base[place]),
    )


def defeated(rights: Sequence[Sequence[int]], by_all: bool) -> list[int]:
    """The places of problems that no draw of every base has solved, or of at least one: the intersection, the union."""
    some = all if by_all else any
    return [place for place, counts in enumerate(zip(*rights, strict=True)) if some(count == 0 for count in counts)]


def _share(inside: Sequence[int], outside: Sequence[int]) -> Estimate:
    return mean_of([1.0] * len(inside) + [0.0] * len(outside))
