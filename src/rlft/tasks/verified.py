"""The data of an environment of `verifiers`: `--data verifiers:wordle`, played by `--agent "verifiers('wordle')"`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.environments.verified import examples
from rlft.types import Problem


class Verified:
    """Its examples in their order: prompt, answer, and its other columns (`info`, `example_id`, `task`).

    `train` is its training set and every other split its evaluation set, which is the training set where it has none.
    """

    def __init__(self, environment: str, *, split: str = "train", size: int | None = None, **arguments: Any):
        self.rows = examples(environment, split, **arguments)
        self.name, self.split = f"verifiers:{environment}", split
        self.size = len(self.rows) if size is None else min(size, len(self.rows))

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems, none with index {index}")
        row: Mapping[str, Any] = self.rows[index]
        columns = {name: value for name, value in row.items() if name not in ("prompt", "answer") and value is not None}
        answer = row.get("answer")
        return Problem(index, row["prompt"], answer or None, columns, task=self.name, split=self.split)
