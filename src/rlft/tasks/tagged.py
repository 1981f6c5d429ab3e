"""Right answers in tags, as what is imitated: `<answer>red</answer>`. Changes nothing else of a task."""

from __future__ import annotations

from dataclasses import replace

from rlft.types import Problem, Task


def in_tags(answer: str) -> str:
    """`<answer>answer</answer>`."""
    return f"<answer>{answer}</answer>"


def right(problem: Problem) -> Problem:
    """The problem with its answer, in tags, to imitate."""
    return replace(problem, demonstration=in_tags(problem.answer))


class Tagged:
    """The problems of a task; what is imitated is the right answer in its tags."""

    def __init__(self, task: Task):
        self.task, self.name, self.split, self.size = task, task.name, task.split, task.size

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        return right(self.task.at(index))
