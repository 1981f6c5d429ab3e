"""One arm with one seed: a run folder, from its start or from where it stopped, to its numbers. Judges nothing.

A cell is named by values alone, so that another process can run it: the recipe, the arm, the seed and plain settings.
Its folder is an ordinary run folder (`rlft report` reads it) and holds, when it is done, `measured.json`.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlft import methods, recipes, report
from rlft.errors import UserError
from rlft.evidence.claim import Claim, as_plain, defaults_of, digest_of
from rlft.reproduce import arms, results
from rlft.runs.drive import drive
from rlft.runs.folder import Cadence, begin, circumstances
from rlft.runs.lock import held
from rlft.runs.log import facts_of

COUNTS = ("rows/drawn", "decisions/drawn", "rows/demonstrated", "updates")


@dataclass(frozen=True)
class Cell:
    """An arm and a seed.

    recipe    a recipe's name or a file of your own
    arm       of its claim; None is the recipe as it stands
    seed      of the run
    settings  plain values for arguments, over those of the arm; `method.NAME` sets one of the method's
    words     options of a command line, over all of these
    """

    recipe: str
    arm: str | None
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """Of the recipe's function."""
        given = dict(arms.arm(self.recipe, self.arm)) if self.arm is not None else {}
        given = with_settings(given, {**self.settings, "seed": self.seed})
        if self.words:
            from rlft.options.arguments import parse

            given = parse(recipes.named(self.recipe), self.words, f"rlft run {self.recipe}", defaults=given)
            given["seed"] = self.seed
        return given

    def folder(self, root: Path) -> Path:
        """Where it runs: other arguments, another folder, so that an arm that has changed is run anew."""
        stem = Path(self.recipe).stem
        defaults = defaults_of(recipes.named(self.recipe))
        digest = digest_of([stem, {**defaults, **as_plain(self.arguments())}])[:6]
        name = (self.arm or stem).replace("/", "-")
        return root / f"{name}-{self.seed}-{digest}"


def with_settings(arguments: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with plain values in place of some; `method.NAME` makes the arm's method anew."""
    given = dict(arguments)
    for name, value in settings.items():
        if not name.startswith("method."):
            given[name] = value
            continue
        if "method" not in given:
            raise UserError(f"the setting {name} needs an arm that names its method")
        method = given["method"]
        given["method"] = methods.named(method.name)(**{**method.settings, name.removeprefix("method."): value})
    return given


def tuned_arm(recipe: str, arm: str) -> dict[str, Any]:
    """An arm's arguments with the settings that its committed result chose for it, if there is one."""
    given = arms.arm(recipe, arm)
    committed = (results.load(Path(recipe).stem) or {"arms": {}})["arms"]
    return with_settings(given, committed.get(arm, {}).get("chosen", {}))


def run_cell(cell: Cell, root: Path) -> dict[str, float]:
    """The cell's numbers: those it has, else from a run that starts, or goes on where it was stopped.

    Raises `Stopped` on a request to stop, when everything is saved.
    """
    import torch

    folder = cell.folder(root)
    if (done := measured(folder)) is not None:
        return done
    torch.set_num_threads(1)
    root.mkdir(parents=True, exist_ok=True)
    with held(folder):
        if (done := measured(folder)) is not None:  # by a process that held it until now
            return done
        return _run(cell, folder)


def _run(cell: Cell, folder: Path) -> dict[str, float]:
    began = time.process_time()
    with log_of(folder).open("a") as log, redirect_stdout(log), redirect_stderr(log):
        arguments = cell.arguments()
        run = recipes.named(cell.recipe)(**arguments)
        if not (folder / "run.json").exists():
            facts = {"recipe": cell.recipe, "arm": cell.arm, "seed": cell.seed, "arguments": as_plain(arguments)}
            begin(folder, {**facts, "method": run.trainer.method.name, **circumstances()})
        drive(run, folder, Cadence(save=20, samples=max(run.steps, 1)), quiet=True, page=False)
    claim = arms.claim(cell.recipe) if cell.arm is not None else None
    numbers = {**numbers_of(folder, claim), "cost/seconds": time.process_time() - began}
    beside = folder / ".measured.json"
    beside.write_text(json.dumps(numbers))
    beside.replace(folder / "measured.json")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return numbers


def log_of(folder: Path) -> Path:
    """What a cell printed."""
    return folder.parent / f"{folder.name}.log"


def measured(folder: Path) -> dict[str, float] | None:
    """The numbers of a cell that is done."""
    path = folder / "measured.json"
    return json.loads(path.read_text()) if path.is_file() else None


def numbers_of(folder: Path, claim: Claim | None = None) -> dict[str, float]:
    """A run folder's numbers.

    NAME          of the last evaluation: `reward`, `pass@k`, measures, probes;   `before/NAME` of the first
    train/NAME    the mean over the last tenth of the steps of what each step logs
    cost/NAME     what the run has spent in all
    and what the claim reads off the files itself
    """
    read = report.read(folder)
    evaluations = list(read.evaluations)
    numbers: dict[str, float] = {}
    for line in evaluations:
        prefix = {"before": "before/", "after": ""}.get(str(line.get("when")))
        if prefix is not None:
            numbers |= {prefix + n: math.nan if v is None else v for n, v in line.items() if v is None or _counts(n, v)}
    last = read.metrics[-max(1, math.ceil(len(read.metrics) / 10)) :]
    for name in sorted({name for line in last for name in line}):
        found = [line[name] for line in last if _counts(name, line.get(name))]
        if found and not name.startswith("seconds/"):
            numbers[f"train/{name}"] = sum(found) / len(found)
    for name in COUNTS:
        numbers[f"cost/{name}"] = sum(line.get(name) or 0 for line in read.metrics)
    if claim is not None and claim.more is not None:
        numbers |= claim.more(read.metrics, evaluations)
    return {name: float(value) for name, value in numbers.items()}


def _counts(name: str, value: Any) -> bool:
    usual = {"step", "problems", "samples", "seconds", "decisions_per_second"}
    return name not in usual and isinstance(value, int | float) and not isinstance(value, bool)


def progress(folder: Path) -> float:
    """The share of a cell's steps that is done."""
    try:
        steps = facts_of(folder).get("steps") or 1
        with (folder / "metrics.jsonl").open() as lines:
            return min(1.0, sum(1 for _ in lines) / steps)
    except (UserError, OSError):
        return 0.0
