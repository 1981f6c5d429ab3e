"""The order in which a task's problems come. Not a sampler: which problems are worth drawing, `collect` decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.noise import permuted
from rlft.types import Problem, Task, UserError, visited


class Stream:
    """A finite task in passes, each in an order of its own; an endless one from its beginning.

    The order of a pass depends on the seed, the task, its split and the number of the pass, which becomes the
    problems' `visit`; a `Revisited` task may ask them otherwise then. It is computed place by place, so nothing grows
    with the task, and the position is all there is to save.
    """

    def __init__(self, task: Task, seed: int):
        if task.size is not None and task.size < 1:
            raise UserError(f"the task {task.name} has no problems in its split {task.split!r}")
        self.task, self.seed, self.position = task, seed, 0

    def take(self, count: int) -> list[Problem]:
        """The next `count` problems; past the end of a pass the next one begins."""
        problems = [self._at(position) for position in range(self.position, self.position + count)]
        self.position += count
        return problems

    def _at(self, position: int) -> Problem:
        if self.task.size is None:
            return self.task.at(position)
        visit, place = divmod(position, self.task.size)
        index = permuted(place, self.task.size, "order", self.seed, self.task.name, self.task.split, visit)
        return visited(self.task, index, visit)

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.position = int(state["position"])
