"""Some problems of a task, numbered anew. Which ones they are is decided elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rlft.types import Problem, Task, visited


class Subset:
    """The problems with these indices, in this order, as problems 0, 1, …; name and split are the task's."""

    def __init__(self, task: Task, indices: Sequence[int]):
        self.task, self.indices = task, list(indices)
        self.name, self.split, self.size = task.name, task.split, len(self.indices)

    def at(self, index: int) -> Problem:
        """The problem with this number."""
        return self.visited(index, 0)

    def visited(self, index: int, visit: int) -> Problem:
        """The same as it is asked in this pass."""
        return replace(visited(self.task, self.indices[index], visit), index=index)
