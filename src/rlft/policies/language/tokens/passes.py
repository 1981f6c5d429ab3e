"""Which rows go through a language model together, within a budget of tokens. Lengths only: no tensors, no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple


class Lengths(NamedTuple):
    """A row by its tokens: `group` is the same for rows that have a prompt in common."""

    index: int
    group: int
    prompt: int
    own: int


def shared_cost(rows: Sequence[Lengths]) -> int:
    """Tokens of a pass that reads each group's prompt once and pads nothing; its rows stand group by group."""
    return sum(row.own for row in rows) + sum(next(part).prompt for _, part in groupby(rows, lambda row: row.group))


def padded_cost(rows: Sequence[Lengths]) -> int:
    """Tokens of a pass that reads every row whole, as long as its longest."""
    return len(rows) * max(row.prompt + row.own for row in rows)


def passes(
    rows: Sequence[Lengths], budget: int, together: bool, cost: Callable[[Sequence[Lengths]], int]
) -> list[list[int]]:
    """All rows, each once, in passes that cost `budget` at most, but for one with a single row that costs more.

    Neighbours in length go together. A pass that shares prompts takes its rows group by group; with `together` no
    group is split, and a whole one may cost more. Rows that are padded one by one go by their own length alone.
    """
    groups = [list(part) for _, part in groupby(sorted(rows, key=lambda row: row.group), lambda row: row.group)]
    # Neighbours in length waste least where rows are padded, and make passes of like cost where they are not.
    groups.sort(key=lambda part: max(row.prompt + row.own for row in part))
    units = groups if together else [[row] for part in groups for row in part]
    if cost is padded_cost and not together:
        units.sort(key=lambda unit: unit[0].prompt + unit[0].own)
    found: list[list[Lengths]] = []
    for unit in units:
        if found and cost(found[-1] + unit) <= budget:
            found[-1] += unit
        else:
            found.append(list(unit))
    return [[row.index for row in part] for part in found]
