"""Some problems of a task, numbered anew: by their indices, or by what their columns say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice, product

from rlft.types import Problem, Task, UserError, field_of, visited


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


def with_columns(task: Task, where: Sequence[str], each: int | None = None) -> Subset:
    """Those problems of a finite task whose columns have these values, `level=L2`, in the task's order.

    Of several values of one column any will do, of several columns all have to hold. With `each`, the first so many of
    each value, or of each combination of values of several columns: a mix of equal parts. `UserError` where a value is
    not there, or not as often.
    """
    wanted: dict[str, list[str]] = {}
    for word in where:
        column, equals, value = word.partition("=")
        if not equals or not column:
            raise UserError(f"say which rows are meant as COLUMN=VALUE, level=L2; got {word!r}")
        wanted.setdefault(column, []).append(value)
    held: dict[tuple[str, ...], list[int]] = {kind: [] for kind in product(*wanted.values())}
    for index in range(task.size or 0):
        columns = task.at(index).columns
        kind = tuple(str(field_of(columns, column)) for column in wanted)
        if kind in held:
            held[kind].append(index)
    for kind, found in held.items():
        if len(found) < (each or 1):
            named = " ".join(f"{column}={value}" for column, value in zip(wanted, kind, strict=True))
            there = _there(task, wanted)
            raise UserError(f"{task.name} has {len(found)} rows with {named}, {each or 1} are wanted; it has {there}")
    return Subset(task, sorted(index for found in held.values() for index in found[:each]))


def _there(task: Task, columns: Iterable[str]) -> str:
    """The first few values of each column, for a message."""
    said = []
    for column in columns:
        values = dict.fromkeys(str(field_of(task.at(index).columns, column)) for index in range(task.size or 0))
        said.append(f"{column}: {', '.join(islice(values, 8))}{', …' if len(values) > 8 else ''}")
    return "; ".join(said)
