"""A task whose prompts are made easier or harder by what is known of each problem. Measures no difficulty itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rlft.types import Problem, Task, visited

Change = Callable[[Problem, float], Problem]


def unchanged(problem: Problem, strength: float) -> Problem:
    """The problem as it is."""
    return problem


class Augmented:
    """The problems of `task`, changed by their difficulty D (arXiv:2506.07464, Section 3.3).

    difficulty   `problem -> D`, as `collect.augment.Difficulty.of`; None leaves a problem plain
    easier       `(problem, D)` where D > 0: a hint in the prompt, say, the longer the larger D
    harder       `(problem, -D)` where D < 0: noise in the prompt, say, the stronger the larger -D

    A problem that comes out changed has D in its column `difficulty`. Index, task and split are the problem's own, so
    its noise is too. The same index gives the same problem only as long as the difficulty is the same: evaluate on
    `task`. With `unchanged` twice it is `task`.
    """

    def __init__(
        self,
        task: Task,
        difficulty: Callable[[Problem], float | None],
        easier: Change = unchanged,
        harder: Change = unchanged,
    ):
        self.task, self.difficulty, self.easier, self.harder = task, difficulty, easier, harder
        self.name, self.split, self.size = task.name, task.split, task.size

    def at(self, index: int) -> Problem:
        """The problem with this index as it is to be asked now."""
        return self.visited(index, 0)

    def visited(self, index: int, visit: int) -> Problem:
        """The same in this pass."""
        problem = visited(self.task, index, visit)
        hard = self.difficulty(problem) or 0.0
        changed = self.easier(problem, hard) if hard > 0 else self.harder(problem, -hard) if hard < 0 else problem
        if changed == problem:
            return problem
        return replace(changed, columns={**changed.columns, "difficulty": hard})
