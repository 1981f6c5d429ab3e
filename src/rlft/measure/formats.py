"""In which formats a model answers, how right it is in each, and what learning makes of the shares.

The measures of "Echo Chamber" (arXiv:2504.07912): reinforcement learning lets one of the formats that a model has
learned to answer in win over all others. With shares w_k and accuracies p_k of the formats

    pass@1 = sum_k w_k p_k = p

and what becomes of the shares alone, where nothing else is learned, is known in closed form: `tilted`, `pushed` and
`imitated`. Which format a text is in a `Formats` decides, which is total and exclusive: the first that fits.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from rlft.chances import unbiased
from rlft.errors import UserError
from rlft.types import Measure, Problem, Reward

OTHER = "other"


@dataclass(frozen=True)
class Formats:
    """Formats in an order: each a name and whether a text is in it. A text is in the first that fits, else in `rest`.

    So every text is in one format and in no other, whatever the tests say.
    """

    tests: tuple[tuple[str, Callable[[str], Any]], ...]
    rest: str = OTHER

    def __post_init__(self) -> None:
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise UserError(f"two formats are called {twice[0]!r}; give each a name of its own, and none {self.rest!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, `rest` last."""
        return (*(name for name, _ in self.tests), self.rest)

    def of(self, text: str) -> str:
        """The name of the format of a text."""
        return next((name for name, fits in self.tests if fits(text)), self.rest)


def formats(specs: Sequence[str], rest: str = OTHER) -> Formats:
    """Formats of words such as `code=^def `: a name and a regular expression, which is searched for in several lines
    (`^` and `$` are the ends of a line, `.` is any character). `UserError` for what is neither."""
    tests: list[tuple[str, Callable[[str], Any]]] = []
    for spec in specs:
        name, equals, pattern = spec.partition("=")
        if not (name and equals and pattern):
            raise UserError(f"{spec!r} is no format: expected NAME=REGEX, such as code='^def '")
        try:
            tests.append((name, re.compile(pattern, re.MULTILINE | re.DOTALL).search))
        except re.error as error:
            raise UserError(f"the regular expression of the format {name!r} cannot be read: {error}") from error
    if not tests:
        raise UserError("no format was given: expected NAME=REGEX, such as code='^def '")
    return Formats(tuple(tests), rest)


@dataclass(frozen=True)
class Tally:
    """Of the rows of one format: how many there are, of how many in all, how many were judged, and were right."""

    rows: int
    of: int
    judged: int
    right: int

    @property
    def share(self) -> float:
        """w, of all rows."""
        return self.rows / self.of if self.of else math.nan

    @property
    def accuracy(self) -> float:
        """p, of those that were judged."""
        return self.right / self.judged if self.judged else math.nan


def tallied(known: Formats, texts: Sequence[str], rights: Sequence[bool | None]) -> dict[str, Tally]:
    """Of each format, in their order. None of a row that could not be judged: it has a share and no say."""
    told: dict[str, list[bool | None]] = {name: [] for name in known.names}
    for text, one in zip(texts, rights, strict=True):
        told[known.of(text)].append(one)
    return {
        name: Tally(len(rows), len(texts), sum(one is not None for one in rows), sum(one is True for one in rows))
        for name, rows in told.items()
    }


def leading(tallies: Mapping[str, Tally]) -> str | None:
    """The format with the largest share, the first of several; None without rows."""
    found = max(tallies, key=lambda name: tallies[name].rows, default=None)
    return found if found is not None and tallies[found].rows else None


def most_accurate(tallies: Mapping[str, Tally], least: int = 1) -> str | None:
    """The format with the highest accuracy among those with so many judged rows; None where there is none."""
    judged = [name for name, tally in tallies.items() if tally.judged >= max(least, 1)]
    return max(judged, key=lambda name: tallies[name].accuracy, default=None)


def converged(steps: Sequence[int], shares: Sequence[Mapping[str, float]], at: float = 0.9) -> tuple[int, str] | None:
    """The first step at which the format that leads in the end has at least this share of the rows, and which it is.

    None where it never has. A format that had as much before and lost it has not won.
    """
    if not steps:
        return None
    winner = max(shares[-1], key=lambda name: shares[-1][name])
    there = [step for step, found in zip(steps, shares, strict=True) if found[winner] >= at]
    return (there[0], winner) if there else None


def majority(answers: Sequence[Hashable | None], rights: Sequence[bool]) -> float:
    """The chance that the answer which most of a problem's draws give is right (majority@k of k draws).

    Of several answers that are given equally often one is taken at random; None is no answer and has no vote. 0 where
    nobody has one.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return 0.0
    most = max(votes.values())
    good = {answer for answer, right in zip(answers, rights, strict=True) if right}
    first = [answer for answer, count in votes.items() if count == most]
    return sum(answer in good for answer in first) / len(first)


def pass_within(found: Sequence[tuple[int, int]], k: int) -> float:
    """pass@k, unbiased, of draws in one format: (drawn, right) of each problem. Those with fewer than k draws in it are
    left out; NaN where none is left."""
    kept = [unbiased(right, drawn, k) for drawn, right in found if drawn >= k]
    return mean(kept) if kept else math.nan


def by_format(known: Formats, reward: Reward, solved: float = 1.0) -> Measure:
    """`share/NAME` of each format, `within/NAME`, its accuracy (NaN without rows), and `share`, the largest."""

    def measure(problems: Sequence[Problem], outputs: Any) -> dict[str, float]:
        earned = [float(one) for one in reward(problems, outputs)]
        rights = [None if one != one else one >= solved for one in earned]
        found = tallied(known, [str(output) for output in outputs], rights)
        told = {f"share/{name}": tally.share for name, tally in found.items()}
        told |= {f"within/{name}": tally.accuracy for name, tally in found.items()}
        return {**told, "share": max(tally.share for tally in found.values())}

    return measure


def voted(answer: Callable[[str], Hashable | None], reward: Reward, solved: float = 1.0) -> Measure:
    """`majority`: majority@G of G rows of each problem, by what `answer` reads in a text."""

    def measure(problems: Sequence[Problem], outputs: Any) -> dict[str, float]:
        groups: dict[tuple[object, ...], tuple[list[Hashable | None], list[bool]]] = {}
        for problem, output, one in zip(problems, outputs, reward(problems, outputs), strict=True):
            answers, rights = groups.setdefault(problem.key, ([], []))
            answers.append(answer(str(output)))
            rights.append(float(one) >= solved)
        return {"majority": mean(majority(*group) for group in groups.values())}

    return measure


# What becomes of the shares alone ------------------------------------------------------------------------------------


def tilted(weights: Sequence[float], accuracies: Sequence[float], beta: float) -> list[float]:
    """Shares of the policy that is best under a KL penalty, max E[R] - beta KL(pi || base), R being 0 or 1:

    w_k* = w_k (1 - p_k + p_k e^(1/beta)) / sum_j w_j (1 - p_j + p_j e^(1/beta))
    """
    if not beta > 0:
        raise UserError(f"a KL penalty has a weight above 0; got {beta}")
    # e^(-1/beta) outside the sum: e^(1/beta) itself overflows.
    shrunk = math.exp(-1 / beta)
    return _normalised([w * ((1 - p) * shrunk + p) for w, p in zip(weights, accuracies, strict=True)])


def pushed(weights: Sequence[float], accuracies: Sequence[float]) -> list[float]:
    """The policy gradient of E[R] on the logits of the formats: w_k (p_k - p), p being the mean accuracy."""
    p = sum(w * a for w, a in zip(weights, accuracies, strict=True))
    return [w * (a - p) for w, a in zip(weights, accuracies, strict=True)]


def imitated(weights: Sequence[float], accuracies: Sequence[float], rounds: int = 1) -> list[float]:
    """Shares after so many rounds of expert iteration: those among right rows, w_k p_k / p, again and again.

    The odds of two formats grow by p_1/p_2 in each round: with p = (1, 1/2) they double.
    """
    return _normalised([w * a**rounds for w, a in zip(weights, accuracies, strict=True)])


def _normalised(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    if not total > 0:
        raise UserError("no format is ever right, so no share is known: an accuracy must be above 0")
    return [weight / total for weight in weights]
