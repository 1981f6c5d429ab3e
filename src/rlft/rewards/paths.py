"""Rewards read off a path of a knowledge graph: `path`, how much of it a thought names. Not whether it is connected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any, final

from rlft.errors import UserError
from rlft.rewards.adapt import column as numbers
from rlft.types import Parts, Problem, Reward, field_of

# Words that say nothing about a path; no list of anybody's, only the commonest of English.
STOP = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been being but by can could did do does for from had has have he her his how i if in "
        "into is it its may might more most no nor not of on or our she should so some such than that the their them "
        "then there these they this those to was we were what when where which while who whom why will with would you "
        "your",
    )
)


def path(
    *,
    column: str = "path",
    share: float = 1.2,
    bonus: float = 0.3,
    least: int = 2,
    most: float = 1.5,
) -> Reward:
    """How much of a path of a knowledge graph a thought names. Kansal and Jha 2026, arXiv:2601.15160, by its code.

        T      words of the path, lower case, without stop words, each once
        u      such words of the thought, in their order;  h = |T and u|, how many of T are among them
        rho    max(0, 1 - 3 max(0, f - 0.35)) max(0, 1 - 0.05 max(0, m - 3))
        reward = min((share h / |T| + bonus 1[h >= least]) rho, most)

    f is the share of the commonest of u, and m the longest run of one. The thought is what stands before the last
    `</think>`, all of the completion where there is none. `column` holds the path, a text or a list of texts or
    triples; NaN without it, or where it has no words.

    It knows no order and asks for no connection, and pays a wrong answer for a full path more than `choice(right=0.1,
    wrong=-1)` pays a right one without: read `covered` and `named`, words for each of T, which are watched.
    """
    if not most >= 0 or least < 0:
        raise UserError(f"most={most} and least={least} are not negative")
    return _Path(column, share, bonus, least, most)


@final
class _Path:
    """The reward; `explain` says which words were found."""

    def __init__(self, column: str, share: float, bonus: float, least: int, most: float):
        self.column, self.share, self.bonus, self.least, self.most = column, share, bonus, least, most

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        found = [self._scored(problem, str(outputs[row])) for row, problem in enumerate(problems)]
        score, covered, named = (numbers([row[part] for row in found]) for part in range(3))
        return Parts({"path": score}, {"covered": covered, "named": named})

    def explain(self, problem: Problem, output: Any) -> str:
        wanted, said = self._words(problem), words(thought(str(output)))
        there = [word for word in wanted if word in said]
        return f"{len(there)} of {len(wanted)} words of the path: {' '.join(there) or 'none'}; rho {sameness(said):.3g}"

    def _words(self, problem: Problem) -> list[str]:
        held = field_of(problem.columns, self.column)
        return list(dict.fromkeys(words(_serialised(held)))) if held is not None else []

    def _scored(self, problem: Problem, output: str) -> tuple[float | None, float | None, float | None]:
        """The reward, the share of the path's words that are named, and how many words there are for each of them."""
        wanted, said = self._words(problem), words(thought(output))
        if not wanted:
            return None, None, None
        hits = len(set(wanted) & set(said))
        paid = (self.share * hits / len(wanted) + self.bonus * (hits >= self.least)) * sameness(said)
        return min(paid, self.most), hits / len(wanted), len(said) / len(wanted)


def words(text: str) -> list[str]:
    """The words of a text as paths are compared by them: lower case, letters and digits, no stop words."""
    return [word for word in re.split(r"[\W_]+", text.lower()) if word and word not in STOP]


def thought(output: str) -> str:
    """What stands before the last `</think>`, or all of it."""
    before, closed, _ = output.rpartition("</think>")
    return before.replace("<think>", " ") if closed else output


def sameness(said: Sequence[str]) -> float:
    """rho: 1 for a thought whose words are not all alike, 0 where one of them is most of it; 1 without any."""
    if not said:
        return 1.0
    commonest = Counter(said).most_common(1)[0][1] / len(said)
    longest = max(len(list(run)) for _, run in groupby(said))
    return max(0.0, 1 - 3 * max(0.0, commonest - 0.35)) * max(0.0, 1 - 0.05 * max(0, longest - 3))


def _serialised(held: Any) -> str:
    """A path as one text: as it is, or its triples one after another."""
    if isinstance(held, str):
        return held
    if isinstance(held, Sequence):
        return " ".join(map(_serialised, held))
    return str(held)
