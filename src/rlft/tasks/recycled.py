"""A task some of whose places ask an earlier problem again, with what was said of its answer. Keeps nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rlft.types import Problem, Task, visited

RECYCLED = "recycled"


class Recycled:
    """The problems of `task`, and in place of some of them earlier ones with feedback (`collect.recycle.Recycling`).

    of     `(index, visit) -> (index of the earlier problem, feedback)`, or None for the problem itself
    told   `(problem, feedback)`: the problem with the feedback in its prompt

    One that is asked again keeps the index of its place, and with it noise of its own; in its column `recycled` are the
    index that it had and the feedback. The same place gives the same problem only as long as `of` does: evaluate on
    `task`.
    """

    def __init__(
        self,
        task: Task,
        of: Callable[[int, int], tuple[int, str] | None],
        told: Callable[[Problem, str], Problem],
    ):
        self.task, self.of, self.told = task, of, told
        self.name, self.split, self.size = task.name, task.split, task.size

    def at(self, index: int) -> Problem:
        """The problem at this place, as it is to be asked now."""
        return self.visited(index, 0)

    def visited(self, index: int, visit: int) -> Problem:
        """The same in this pass."""
        entry = self.of(index, visit)
        if entry is None:
            return visited(self.task, index, visit)
        again = self.told(self.task.at(entry[0]), entry[1])
        return replace(again, index=index, visit=visit, columns={**again.columns, RECYCLED: entry})
