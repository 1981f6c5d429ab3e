"""What a policy can do where another, its start, could already do something, and where that could do nothing.

A mean over all problems cannot tell the two apart. Not a reward, and not pass@k, which `evaluate` has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rlft.errors import UserError
from rlft.measure.groups import means
from rlft.types import Measure, Problem, Reward, field_of

LEVELS = ("easy", "medium", "hard", "hardest")


def level(share: float) -> str:
    """`easy` from 3/4 of the rows solved, `medium` above 1/4, `hard` above 0, else `hardest` (arXiv:2506.07527)."""
    return "easy" if share >= 0.75 else "medium" if share > 0.25 else "hard" if share > 0 else "hardest"


def level_of(right: int, of: int) -> str:
    """`L1` where all of k draws are right, `L2` where all but one are, … `L(k+1)`, where none is (arXiv:2505.17952)."""
    if not 0 <= right <= of or of < 1:
        raise UserError(f"of at least one draw none to all are right; got {right} of {of}")
    return f"L{of - right + 1}"


def level_chances(rate: float, of: int) -> dict[str, float]:
    """The chance of each level for a problem that one draw solves with probability p: C(k, r) p^r (1 - p)^(k - r)."""
    return {level_of(r, of): math.comb(of, r) * rate**r * (1 - rate) ** (of - r) for r in range(of, -1, -1)}


def by_column(reward: Reward, column: str) -> Measure:
    """The mean reward of the rows of each value of a column of the data: `COLUMN/VALUE`.

    Rows that could not be scored do not count, and of a reward in parts their sum does. A problem without the column
    raises `UserError`. The reward is asked once more for it.
    """

    def measure(problems: Sequence[Problem], outputs: Any) -> dict[str, float]:
        found = reward(problems, outputs)
        parts = [_numbers(part) for part in (found.values() if isinstance(found, Mapping) else [found])]
        total = [sum(row) for row in zip(*parts, strict=True)]
        values = []
        for problem in problems:
            if (value := field_of(problem.columns, column)) is None:
                raise UserError(
                    f"problem {problem.index} of {problem.task} has no column {column!r} to be told apart by"
                )
            values.append(str(value))
        rows = [(f"{column}/{v}", s) for v, s in zip(values, total, strict=True) if s == s]
        return dict(sorted(means([score for _, score in rows], [name for name, _ in rows]).items()))

    return measure


def _numbers(scores: Any) -> list[float]:
    """A number for each row, of one that is paid at its decisions their sum; NaN for what could not be scored."""
    if isinstance(scores, torch.Tensor):
        scores = (scores.sum(1) if scores.ndim == 2 else scores).tolist()
    return [math.nan if score is None else float(score) for score in scores]


def by_difficulty(reward: Reward, shares: Mapping[int, float]) -> Measure:
    """Of the problems of each level, as the `shares` that another policy solves say (`evaluate.solved_share`):

    NAME           share of the rows that earn 1 or more
    NAME/any       share of its problems that have such a row: pass@G, of G rows of each
    NAME/problems  how many there are; of a level without any the other two are NaN
    """

    def measure(problems: Sequence[Problem], outputs: Any) -> dict[str, float]:
        right = torch.as_tensor(reward(problems, outputs)) >= 1
        rows: dict[str, dict[int, list[bool]]] = {name: {} for name in LEVELS}
        for problem, solved in zip(problems, right.tolist(), strict=True):
            rows[level(shares[problem.index])].setdefault(problem.index, []).append(solved)
        numbers: dict[str, float] = {}
        for name, found in rows.items():
            tries = sum(map(len, found.values()))
            numbers[name] = sum(map(sum, found.values())) / tries if tries else math.nan
            numbers[f"{name}/any"] = sum(map(any, found.values())) / len(found) if tries else math.nan
            numbers[f"{name}/problems"] = float(len(found))
        return numbers

    return measure
