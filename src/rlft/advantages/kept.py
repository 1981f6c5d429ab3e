"""Which of a problem's rows are imitated: the right ones, equal ones not too often, and not too many in all."""

from __future__ import annotations

from collections import Counter

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.sets import same_output
from rlft.types import Credit, Rollouts, Runtime, UserError


def kept(threshold: float, copies: int | None = 1, most: int | None = None) -> Credit:
    """1 for rows that are kept, NaN (left out) for the others (arXiv:2312.06585, 2504.07912).

    threshold  the least reward of a row
    copies     of equal rows of a group the first so many are kept; None is all
    most       rows of a group that are kept, the first; None is all

    With neither it is `at_least`. Groups are whole on every process, so nothing is gathered: equal rows of a problem
    that comes twice in one step are kept once for each time.
    """
    for name, value in (("copies", copies), ("most", most)):
        if value is not None and value < 1:
            raise UserError(f"{name} is a number of rows, at least 1, or none for all of them; got {value}")

    def credit(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
        keys = same_output(rollouts.problems, rollouts.outputs).tolist()
        chosen = torch.full_like(rollouts.rewards, torch.nan)
        for first in range(0, len(rollouts), rollouts.group):
            said: Counter[int] = Counter()
            for row in range(first, min(first + rollouts.group, len(rollouts))):
                if not bool(rollouts.rewards[row] >= threshold) or (most is not None and said.total() >= most):
                    continue
                if copies is None or said[keys[row]] < copies:
                    said[keys[row]] += 1
                    chosen[row] = 1.0
        return chosen

    return credit
