"""A run folder, parsed: what the files say and what in them could not be read. Nothing is interpreted here.

A run may still be going or may have been killed, so every file may be missing, short or torn at the end. What cannot be
read is left out and noted, never guessed.

    run.json           command, recipe, arguments (nested), method, seed, versions, revision, machine, started, status
                       (running, done, stopped, failed), steps, and `error` if there was one
    metrics.jsonl      {"step", "reward", "reward/PART", "kl", "seconds/STAGE", ...}; any other number is drawn too
    evaluations.jsonl  {"step", "name", "reward", "interval": [low, high], "problems", "samples", MEASURE: number, ...}
    samples.jsonl      {"step", "problem": {"index", "input", "answer", "shown": see `seen`}, "rows": [row, ...]}

A row of samples.jsonl has `reward`, and if known `parts`, `advantage` and `tokens`. Its `kind` says how it is shown:

    text        text, truncated (true if the length limit ended it)
    conversation   messages [{"role", "text", "own"}, ...], own if the policy said it, `failed` if a tool did; truncated
    image       pixels in [-1, 1]: [H W], [H W 1] or [H W 3]; or `uri`, a PNG
    points      points [[x, y], ...]
    trajectory  positions [[x, y], ...], walls [[x0, y0, x1, y1], ...] from corner to corner, goal [x, y]; and, or
                instead, series {name: [number, ...]}

A row of any other kind is shown as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """The parsed files of one run folder.

    info         run.json: command, recipe, arguments, method, seed, versions, revision, machine, started, status, steps
    metrics      one record per step, in order of steps; a step that was logged twice counts as logged last
    evaluations  one record per (step, name)
    samples      one record per (step, problem)
    notes        sentences about what could not be read
    """

    folder: Path
    info: Record
    metrics: tuple[Record, ...]
    evaluations: tuple[Record, ...]
    samples: tuple[Record, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @property
    def status(self) -> str:
        """running, done, stopped or failed; `unknown` if run.json does not say."""
        return str(self.info.get("status") or "unknown")

    @property
    def last_step(self) -> int:
        """The last step that was logged; 0 before the first."""
        return self.metrics[-1]["step"] if self.metrics else 0

    @cached_property
    def logged(self) -> tuple[str, ...]:
        """Every key that a line of metrics.jsonl has, in order of appearance, without `step`."""
        seen = dict.fromkeys(key for record in self.metrics for key in record)
        return tuple(key for key in seen if key != "step")

    def column(self, key: str) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Steps and values of one metric, where it was measured. NaN and infinity are kept, null is left out."""
        nothing = np.empty(0)
        return self._columns.get(key, (nothing, nothing))

    @cached_property
    def _columns(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        found: dict[str, tuple[list[float], list[float]]] = {key: ([], []) for key in self.logged}
        for record in self.metrics:
            step = as_number(record["step"])
            for key, value in record.items():
                if key in found and (measured := as_number(value)) is not None:
                    found[key][0].append(step or 0.0)
                    found[key][1].append(measured)
        return {key: (np.array(steps), np.array(values)) for key, (steps, values) in found.items()}


@dataclass(frozen=True)
class Results:
    """A table of what is compared.

    names  of the columns, one for each folder
    rows   a measure's name, and in words what it is in each column
    note   what the numbers are
    """

    names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    note: str


def as_number(value: object) -> float | None:
    """A number (or true, false) as a float; None for null, text, lists, and integers beyond a float."""
    if not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def arguments(run: Run) -> Record:
    """The arguments that run.json lists, or none."""
    found = run.info.get("arguments")
    return found if isinstance(found, dict) else {}


def read(folder: str | Path) -> Run:
    """Parse a run folder.

    Raises ValueError, with a sentence that says what is missing, if there is no such folder or if it has neither
    run.json nor metrics.jsonl.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"no run folder at {folder}: give the folder that a run was told to write to (--out)")
    if not any((folder / name).is_file() for name in ("run.json", "metrics.jsonl")):
        raise ValueError(
            f"{folder} is not a run folder: it has neither run.json nor metrics.jsonl; give the folder that a run was "
            "told to write to (--out)"
        )
    notes: list[str] = []
    metrics = _with_steps(_lines(folder / "metrics.jsonl", notes))
    evaluations = _with_steps(_lines(folder / "evaluations.jsonl", notes))
    samples = _with_steps(_lines(folder / "samples.jsonl", notes))
    return Run(
        folder=folder,
        info=_object(folder / "run.json", notes),
        metrics=_latest(metrics, lambda r: r["step"], "metrics.jsonl", notes),
        evaluations=_latest(evaluations, lambda r: (r["step"], str(r.get("name"))), "evaluations.jsonl", notes),
        samples=_latest(samples, lambda r: (r["step"], _canonical(r.get("problem"))), "samples.jsonl", notes),
        notes=tuple(notes),
    )


def _object(path: Path, notes: list[str]) -> Record:
    if not path.is_file():
        notes.append(f"There is no {path.name}, so what was run, and with which settings, is not known.")
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        notes.append(f"{path.name} is not a JSON object and was left out.")
        return {}
    return found


def _lines(path: Path, notes: list[str]) -> list[Record]:
    """The JSON objects of a file, one a line; lines that are none are noted and left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    last = max((i for i, line in enumerate(lines) if line.strip()), default=-1)
    records: list[Record] = []
    for i, line in enumerate(lines[: last + 1]):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            records.append(record)
        elif i == last:
            notes.append(
                f"The last line of {path.name} is torn, as when a run is killed while it writes; it was left out."
            )
        else:
            notes.append(f"Line {i + 1} of {path.name} is not a JSON object and was left out.")
    return records


def _with_steps(records: Sequence[Record]) -> list[Record]:
    """Records with an int `step`; a record without a usable one gets the place after its predecessor."""
    placed: list[Record] = []
    for record in records:
        step = as_number(record.get("step"))
        after = placed[-1]["step"] + 1 if placed else 1
        placed.append({**record, "step": int(step) if step is not None and np.isfinite(step) else after})
    return placed


def _latest(records: Sequence[Record], key: Callable[[Record], Any], name: str, notes: list[str]) -> tuple[Record, ...]:
    """One record per key, the last one written, in order of steps: a resumed run may log a step again."""
    kept = {key(record): record for record in records}
    if repeated := len(records) - len(kept):
        lines = f"{repeated:,} lines" if repeated > 1 else "One line"
        notes.append(f"{lines} of {name} were written again, as after a resume; the later ones count.")
    return tuple(sorted(kept.values(), key=lambda r: r["step"]))


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
