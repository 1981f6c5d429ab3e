"""A claim from its declaration to its result: tune every arm, run all seeds, judge. Draws and prints nothing.

What is tuned is tuned alike: every arm's grid, on seeds of its own that are never reported, by the claim's metric. A
smoke run takes the first value of each grid, one seed and the claim's small settings: the same code at seconds' size,
whose verdict means nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlft import recipes, report
from rlft.errors import UserError
from rlft.evidence.claim import Claim, as_plain
from rlft.evidence.verdict import INCONCLUSIVE, Runs, judged, spread, uneven, verdict
from rlft.reproduce import arms
from rlft.reproduce.cells import Cell
from rlft.reproduce.runner import processes, run_cells
from rlft.runs.folder import circumstances
from rlft.runs.log import facts_of, finite

Settings = dict[str, Any]
Data = Mapping[str, tuple[str, ...]]


def reproduce(
    name: str,
    root: Path,
    *,
    seeds: int | None = None,
    first_seed: int = 0,
    workers: int = 2,
    pool: Callable[[int], Executor] = processes,
    smoke: bool = False,
    data: Data = MappingProxyType({}),
    said: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Run what of a recipe's claim has not been run yet, in the folder `root`, and return the result.

    `workers` runs at a time, in a `pool` of so many; 0 runs them here.

    `data` has, for the names that arms want data by (`Arm.data`), options of the recipe's command line.

    The seeds are `seeds` from `first_seed` on: others than the committed ones test a verdict on what nobody has seen.

    Raises `Stopped` on Ctrl-C; the same call goes on. `UserError` if a run failed or a statement's number is not
    measured.
    """
    claim = arms.claim(name)
    words = _given(claim, data, said)
    counts = {arm: 1 if smoke else seeds or claim.seeds_of(arm) for arm in words}
    most = max(counts.values())
    if both := sorted(set(range(first_seed, first_seed + most)) & set(claim.tuning_seeds)):
        raise UserError(f"seed {both[0]} is for tuning and cannot be reported: choose others with --first-seed")
    run = partial(run_cells, workers=workers, pool=pool)
    chosen, tuning = ({arm: _first(claim, arm) for arm in words}, {})
    if not smoke:
        chosen, tuning = tuned(name, claim, words, root, run, said)
    cells = [
        Cell(name, arm, seed, {**chosen[arm], **(claim.smoke if smoke else {})}, words[arm])
        for seed in range(first_seed, first_seed + most)
        for arm in words
        if seed - first_seed < counts[arm]
    ]
    said(f"{len(words)} arms, {most} seed{'s' * (most > 1)}")
    numbers = run(cells, root / "runs")
    found: dict[str, dict[int, dict[str, float]]] = {arm: {} for arm in words}
    for cell, measured in zip(cells, numbers, strict=True):
        found[str(cell.arm)][cell.seed] = {k: math.nan if v is None else v for k, v in measured.items()}
    folders = {(str(cell.arm), cell.seed): cell.folder(root / "runs") for cell in cells}
    digest = claim.digest(recipes.named(name))
    result = {"key": Path(name).stem, "smoke": smoke, "digest": digest, **concluded(claim, found)}
    seconds = sum(run["cost/seconds"] for arm in found.values() for run in arm.values())
    result |= {"seeds": most, "tuning": tuning, "cpu_seconds": round(seconds + sum(_tuning_seconds(tuning)), 1)}
    result |= _circumstances(list(folders.values()))
    result["arms"] = {
        arm: {
            "arguments": as_plain(Cell(name, arm, 0, chosen[arm], words[arm]).arguments()),
            "chosen": chosen[arm],
            "curve": _curve(claim, [folders[arm, seed] for seed in found[arm]]),
            "runs": {str(seed): dict(sorted(run.items())) for seed, run in found[arm].items()},
        }
        for arm in words
    }
    return finite(result)


def concluded(claim: Claim, found: Runs) -> dict[str, Any]:
    """The verdict and what it rests on, from the numbers alone: it can be drawn again from a result's file.

    What is stated of arms that were left out for want of data is not judged.
    """
    stated = [s for s in claim.statements if {s.arm, s.over} <= {*found, None}]
    statements = [{**as_plain(vars(s)), **judged(s, found)} for s in stated]
    trained = [arm for arm, by_seed in found.items() if all(run.get("cost/updates") for run in by_seed.values())]
    unequal = uneven(claim.shared, found, trained)
    outcomes = [s["outcome"] for s in statements if s["claimed"]]
    return {
        "verdict": INCONCLUSIVE if unequal else verdict(outcomes),
        "uneven": unequal,
        "claim": claim.declared(),
        "statements": statements,
        "means": {
            arm: {name: spread([run[name] for run in by_seed.values()]) for name in _named(claim, by_seed)}
            for arm, by_seed in found.items()
        },
    }


def tuned(
    name: str,
    claim: Claim,
    words: Mapping[str, tuple[str, ...]],
    root: Path,
    run: Callable[[Sequence[Cell], Path], list[dict[str, float]]],
    said: Callable[[str], None],
) -> tuple[dict[str, Settings], dict[str, list[dict[str, Any]]]]:
    """Each arm's best settings of its grid, and what every one of them gave; `run` runs cells in a folder."""
    tried = [
        Cell(name, arm, seed, settings, words[arm])
        for arm in words
        for settings in grid(claim.grid_of(arm))
        if len(grid(claim.grid_of(arm))) > 1
        for seed in claim.tuning_seeds
    ]
    if tried:
        said(f"tuning {len({cell.arm for cell in tried})} arms on other seeds: {len(tried)} runs")
    table: dict[str, list[dict[str, Any]]] = {}
    for cell, numbers in zip(tried, run(tried, root / "tuning"), strict=True):
        rows = table.setdefault(str(cell.arm), [])
        row = next((row for row in rows if row["settings"] == cell.settings), None)
        if row is None:
            row = {"settings": dict(cell.settings), "values": [], "seconds": 0.0}
            rows.append(row)
        row["values"].append(_score(numbers.get(claim.metric)))
        row["seconds"] += numbers["cost/seconds"]
    best = {arm: max(rows, key=lambda row: _rank(row, claim.higher)) for arm, rows in table.items()}
    return {arm: dict(best[arm]["settings"]) if arm in best else _first(claim, arm) for arm in words}, table


def _given(claim: Claim, data: Data, said: Callable[[str], None]) -> dict[str, tuple[str, ...]]:
    """The arms to be run, and the options each is run with besides its arguments."""
    wanted = {arm.data: None for arm in claim.arms.values() if arm.data is not None}
    if unknown := [name for name in data if name not in wanted]:
        raise UserError(f"no arm wants data called {unknown[0]!r}; wanted are: {', '.join(wanted) or 'none'}")
    for name in wanted:
        if name not in data:
            left = [arm for arm, its in claim.arms.items() if its.data == name]
            said(f"left out for want of data, --set {name}.ARGUMENT=VALUE: {', '.join(left)}")
    return {
        name: () if arm.data is None else data[arm.data]
        for name, arm in claim.arms.items()
        if arm.data is None or arm.data in data
    }


def grid(values: Mapping[str, Sequence[Any]]) -> list[Settings]:
    """Every combination of a grid's values."""
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def _first(claim: Claim, arm: str) -> Settings:
    return grid(claim.grid_of(arm))[0]


def _score(value: float | None) -> float:
    return math.nan if value is None else value


def _rank(row: Mapping[str, Any], higher: bool) -> float:
    mean = sum(row["values"]) / len(row["values"])
    return -math.inf if math.isnan(mean) else mean if higher else -mean


def _tuning_seconds(tuning: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[float]:
    return [row["seconds"] for rows in tuning.values() for row in rows]


def _named(claim: Claim, by_seed: Mapping[int, Mapping[str, float]]) -> list[str]:
    """The numbers to print: the metric, the table's, those of statements; those that this arm has."""
    wanted = dict.fromkeys((claim.metric, *claim.table, *(s.metric for s in claim.statements)))
    return [name for name in wanted if all(name in run for run in by_seed.values())]


def _circumstances(folders: Sequence[Path]) -> dict[str, Any]:
    """Versions and machine; every revision that one of the runs was made with."""
    facts = [facts_of(folder) for folder in folders]
    revisions = sorted({str(fact.get("revision")) for fact in facts})
    now = circumstances()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "revision": ", ".join(revisions),
        "versions": now["versions"],
        "machine": now["machine"],
    }


def _curve(claim: Claim, folders: Sequence[Path]) -> dict[str, list[Any]] | None:
    """Steps and, for every seed, the number that the claim wants drawn: of the evaluations, else of the steps."""
    if claim.curve is None:
        return None
    lines = []
    for folder in folders:
        run = report.read(folder)
        source = run.evaluations if any(claim.curve in line for line in run.evaluations) else run.metrics
        lines.append([(line["step"], line[claim.curve]) for line in source if line.get(claim.curve) is not None])
    steps = [step for step, _ in lines[0]] if lines else []
    if len(steps) < 2 or any([step for step, _ in line] != steps for line in lines):
        return None
    keep = sorted({round(i * (len(steps) - 1) / min(len(steps) - 1, 40)) for i in range(min(len(steps), 41))})
    return {"steps": [steps[i] for i in keep], "values": [[_digits(line[i][1]) for i in keep] for line in lines]}


def _digits(value: float) -> float:
    return float(f"{value:.5g}")
