"""Any recipes, or any run folders, side by side under one budget of rollouts: a table and a page. Judges nothing."""

from __future__ import annotations

import inspect
import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from rlft import recipes, report
from rlft.errors import UserError
from rlft.evidence.statistics import interval
from rlft.report.words import number
from rlft.reproduce.cells import Cell, numbers_of
from rlft.reproduce.runner import run_cells

_FIRST = ("reward", "before/reward", "pass@1", "train/kl", "cost/rows/drawn", "cost/updates", "cost/seconds")


def compare(
    what: Sequence[str],
    folder: Path,
    *,
    rollouts: int | None,
    seeds: int,
    workers: int,
    said: Callable[[str], None] = lambda line: None,
) -> tuple[Table, Path]:
    """The table and the path of the page with all curves.

    Recipes are run, every one with as many steps as its rows a step allow within the budget. Run folders are read as
    they are, and a different number of rollouts is said. `UserError` for fewer than two, or for a mixture of both.
    """
    if len(what) < 2:
        raise UserError(f"a comparison needs at least two recipes or run folders; got {len(what)}")
    are_runs = [(Path(word) / "run.json").is_file() for word in what]
    if all(are_runs):
        folders = {word: [Path(word)] for word in what}
        numbers = {word: [numbers_of(Path(word))] for word in what}
        out = None
    elif any(are_runs):
        raise UserError("recipes are run under one budget and run folders are as they are: compare one kind at a time")
    else:
        folders, numbers = _run(what, folder, rollouts, seeds, workers, said)
        out = folder / "compare.html"
    spent = {round(runs[0].get("cost/rows/drawn", 0)) for runs in numbers.values()}
    if max(spent) > 1.01 * min(spent):
        said(f"these did not spend alike: {', '.join(f'{s:,}' for s in sorted(spent))} rollouts")
    page = report.compare([paths[0] for paths in folders.values()], out)
    return _table(numbers), page


def _run(
    what: Sequence[str], folder: Path, rollouts: int | None, seeds: int, workers: int, said: Callable[[str], None]
) -> tuple[dict[str, list[Path]], dict[str, list[dict[str, float]]]]:
    asked = {word: _cell(word) for word in what}
    if len(asked) < len(what):
        raise UserError("the same recipe is given twice; give one of them other options")
    per_step = {word: _rows(cell) for word, cell in asked.items()}
    budget = rollouts or min(rows * steps for rows, steps in per_step.values())
    cells = {word: [] for word in what}
    for word, cell in asked.items():
        steps = max(1, budget // per_step[word][0])
        said(f"{word}: {steps} steps of {per_step[word][0]} rollouts")
        cells[word] = [Cell(cell.recipe, cell.arm, s, {"steps": steps}, cell.words) for s in range(seeds)]
    flat = [cell for group in cells.values() for cell in group]
    done = dict(zip(map(id, flat), run_cells(flat, folder / "runs", workers), strict=True))
    folders = {word: [cell.folder(folder / "runs") for cell in group] for word, group in cells.items()}
    return folders, {word: [done[id(cell)] for cell in group] for word, group in cells.items()}


def _cell(word: str) -> Cell:
    """`RECIPE[:ARM] [options]`."""
    name, *options = shlex.split(word)
    recipe, _, arm = name.partition(":")
    return Cell(recipe, arm or None, 0, words=tuple(options))


def _rows(cell: Cell) -> tuple[int, int]:
    """Rows in a step, and steps, as the recipe has them."""
    defaults = {name: p.default for name, p in inspect.signature(recipes.named(cell.recipe)).parameters.items()}
    given = {**defaults, **cell.arguments()}
    missing = {"prompts", "group", "steps"} - set(given)
    if missing:
        raise UserError(f"recipe {cell.recipe} has no option {', '.join(sorted(missing))}, so its budget is not known")
    return given["prompts"] * given["group"], given["steps"]


def _table(numbers: dict[str, list[dict[str, float]]]) -> Table:
    """A column a recipe or run: mean and interval over seeds of what all of them measure."""
    common = set.intersection(*(set(run) for runs in numbers.values() for run in runs))
    names = [name for name in _FIRST if name in common]
    names += sorted(n for n in common if "/" not in n and n not in names)
    letters = [chr(ord("A") + i) for i in range(len(numbers))]
    caption = "\n".join(f"{letter}  {word}" for letter, word in zip(letters, numbers, strict=True))
    table = Table("", *letters, caption=caption, caption_justify="left")
    for name in names:
        table.add_row(name, *(_cell_text([run[name] for run in runs]) for runs in numbers.values()))
    return table


def _cell_text(values: list[Any]) -> str:
    kept = [value for value in values if value is not None and math.isfinite(value)]
    if not kept:
        return "—"
    mean = number(sum(kept) / len(kept))
    if len(kept) < 2 or max(kept) == min(kept):
        return mean
    low, high = interval(kept)
    return f"{mean} [{number(low)}, {number(high)}]"
