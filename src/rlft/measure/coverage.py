"""How many different ways to succeed a policy has: what pass@k lives on and a mean reward cannot see. Not a reward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rlft.types import Measure, Problem


def coverage(
    right: Callable[[Sequence[Problem], Any], Sequence[float]], key: Callable[[Sequence[Problem], Any], Any]
) -> Measure:
    """`coverage`, different right behaviours among a problem's rows, and `behaviours`, different ones of any kind;
    means over the problems. Both grow with the rows drawn: compare equal numbers only.

    right   a reward that is 1 for a right row and 0 otherwise
    key     [N] integers, equal for rows that did the same
    """

    def measure(problems: Sequence[Problem], outputs: Any) -> dict[str, float]:
        groups: dict[tuple[object, ...], tuple[set[int], set[int]]] = {}
        scores, keys = right(problems, outputs), key(problems, outputs).tolist()
        for problem, score, did in zip(problems, scores, keys, strict=True):
            every, good = groups.setdefault(problem.key, (set(), set()))
            every.add(did)
            if score == 1:
                good.add(did)
        counts = [(len(good), len(every)) for every, good in groups.values()]
        found, tried = (sum(column) / len(counts) for column in zip(*counts, strict=True))
        return {"coverage": found, "behaviours": tried}

    return measure
