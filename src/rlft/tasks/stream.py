"""The order in which a task's problems come. Not a data loader: nothing is prefetched, batched or tokenised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from rlft.noise import hashed
from rlft.types import Problem, Task


class Stream:
    """Problems without end: each pass over a finite task is a new permutation, an endless task comes in index order.

    `problem.visit` counts the passes. The state is one number, the problems taken so far, so resuming is exact.
    """

    def __init__(self, task: Task, seed: int):
        self.task = task
        self.seed = seed
        self.taken = 0
        self._visit = -1
        self._order = torch.zeros(0, dtype=torch.int64)

    def take(self, count: int) -> list[Problem]:
        """The next `count` problems."""
        problems = [self._at(position) for position in range(self.taken, self.taken + count)]
        self.taken += count
        return problems

    def _at(self, position: int) -> Problem:
        if self.task.size is None:
            return self.task.at(position)
        visit, place = divmod(position, self.task.size)
        if visit != self._visit:
            words = ("order", self.seed, self.task.name, self.task.split, visit)
            generator = torch.Generator().manual_seed(hashed(*words))
            self._visit, self._order = visit, torch.randperm(self.task.size, generator=generator)
        return replace(self.task.at(int(self._order[place])), visit=visit)

    def state_dict(self) -> dict[str, Any]:
        """How many problems have been taken."""
        return {"taken": self.taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.taken = int(state["taken"])
