"""Any recipes, or any run folders, side by side under one budget of rollouts: a table and a page. Judges nothing."""

from __future__ import annotations

import inspect
import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

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
    folder: Path | None,
    *,
    rollouts: int | None,
    seeds: int,
    workers: int,
    said: Callable[[str], None] = lambda line: None,
) -> tuple[Table, Path]:
    """The table and the path of the page with all curves.

    Recipes are run, every one with as many steps as its rows a step allow within the budget. Run folders are read as
    they are, and a different number of rollouts is said. The page shows the table, and goes to `folder`; without one to
    `runs/compare`, or beside the run folders. `UserError` for fewer than two, the same twice, a mixture of both, and
    for a page that cannot be written.
    """
    if len(what) < 2:
        raise UserError(f"a comparison needs at least two recipes or run folders; got {len(what)}")
    if all(map(_is_run, what)):
        if len({Path(word).resolve() for word in what}) < len(what):
            raise UserError(f"a run folder is given twice among {', '.join(what)}")
        folders, numbers = {word: [Path(word)] for word in what}, {word: [_numbers_of(word)] for word in what}
        out = None if folder is None else folder / "compare.html"
    elif any(map(_is_run, what)):
        _refuse_a_mixture(what)
    else:
        folder = folder or Path("runs/compare")
        folders, numbers = _run(what, folder, rollouts, seeds, workers, said)
        out = folder / "compare.html"
    spent = {round(runs[0].get("cost/rows/drawn", 0)) for runs in numbers.values()}
    if max(spent) > 1.01 * min(spent):
        said(f"these did not spend alike: {', '.join(f'{s:,}' for s in sorted(spent))} rollouts")
    names, rows = list(numbers), _rows_of(numbers)
    try:
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
        first = [paths[0] for paths in folders.values()]
        page = report.compare(first, out, report.Results(names, rows, _note(numbers)))
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot write the page of the comparison: {error}; say with --out which folder it goes to"
        ) from error
    return _table(names, rows), page


def _is_run(word: str) -> bool:
    return (Path(word) / "run.json").is_file()


def _numbers_of(word: str) -> dict[str, float]:
    try:
        return numbers_of(Path(word))
    except ValueError as error:
        raise UserError(f"cannot read the run folder {word}: {error}") from error


def _refuse_a_mixture(what: Sequence[str]) -> NoReturn:
    for word in what:
        name = word.split()[0].partition(":")[0] if word.split() else word
        if not _is_run(word) and name not in recipes.names() and not Path(name).is_file():
            raise UserError(f"there is no run folder {word}, and no recipe of this name")
    raise UserError("recipes are run under one budget and run folders are as they are: compare one kind at a time")


def _note(numbers: dict[str, list[dict[str, float]]]) -> str:
    """What the numbers of the table are."""
    seeds = max(map(len, numbers.values()))
    if seeds == 1:
        return "Numbers of the last evaluation; train/… are means over the last tenth of the steps."
    return (
        f"Means over {seeds} seeds with 95 % intervals; train/… are means over the last tenth of the steps. The "
        "curves, the settings and the remarks are those of seed 0."
    )


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


def _rows_of(numbers: dict[str, list[dict[str, float]]]) -> list[tuple[str, list[str]]]:
    """What all of them measure: mean and interval over seeds of each recipe or run."""
    common = set.intersection(*(set(run) for runs in numbers.values() for run in runs))
    names = [name for name in _FIRST if name in common]
    names += sorted(n for n in common if "/" not in n and n not in names)
    rows = [(name, [_cell_text([run[name] for run in runs]) for runs in numbers.values()]) for name in names]
    return [*rows, ("seeds", [str(len(runs)) for runs in numbers.values()])]


def _table(names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> Table:
    """A column a recipe or run."""
    letters = [f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[i % 26]}{i // 26 or ''}" for i in range(len(names))]
    caption = "\n".join(f"{letter}  {word}" for letter, word in zip(letters, names, strict=True))
    table = Table("", *letters, caption=caption, caption_justify="left")
    for name, values in rows:
        table.add_row(name, *values)
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
