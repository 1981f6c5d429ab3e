"""What a policy can do where another, its start, could already do something, and where that could do nothing.

A mean over all problems cannot tell the two apart. Not a reward, and not pass@k, which `evaluate` has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rlft.types import Measure, Problem, Reward

LEVELS = ("easy", "medium", "hard", "hardest")


def level(share: float) -> str:
    """`easy` from 3/4 of the rows solved, `medium` above 1/4, `hard` above 0, else `hardest` (arXiv:2506.07527)."""
    return "easy" if share >= 0.75 else "medium" if share > 0.25 else "hard" if share > 0 else "hardest"


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
