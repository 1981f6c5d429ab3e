"""A run folder before anything runs: made, refused, described, recognised. Runs nothing."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from rlft.machine import here
from rlft.noise import hashed
from rlft.runs import lock
from rlft.runs.log import LOGS, write_facts
from rlft.runs.model import SAVING, WEIGHTS
from rlft.types import Problem, Task, UserError
from rlft.version import __version__


@dataclass
class Cadence:
    """How often a run writes.

    save     steps between checkpoints (one is also written at the end, and on Ctrl-C)
    samples  steps between samples
    """

    save: int = 20
    samples: int = 10


CONFIG = "config.toml"  # a run's arguments, see `options.config`
# What a process that was killed at once may leave in a folder, and nothing is lost with it.
_OF_NO_RUN = {lock.NAME, ".run.json"}
_OF_A_RUN = (
    "run.json",
    ".run.json",
    CONFIG,
    "checkpoints",
    "model",
    "stages",
    "trackers",
    SAVING,
    "report.html",
    *(f"{log}.jsonl" for log in LOGS),
)


class Stopped(Exception):
    """The run was asked to stop, has saved its state, and can be resumed."""


def refuse_existing(folder: Path) -> None:
    """A run folder that is there already is never touched."""
    if folder.exists() and (not folder.is_dir() or any(path.name not in _OF_NO_RUN for path in folder.iterdir())):
        raise UserError(
            f"{folder} exists already and nothing in it will be overwritten; choose another --out, or go on with "
            f"`rlft train --resume {folder}`"
        )


def refuse_taken(out: Path) -> None:
    """A folder that is to be made is none that is there."""
    if out.exists():
        raise UserError(f"{out} exists already and will not be overwritten; choose another folder")


@contextmanager
def written_whole(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write to, which becomes `out` in one step; nothing is left of it where that fails.

    `UserError` where it cannot be written.
    """
    beside = out.with_name(f".{out.name}.writing")
    try:
        yield beside
        beside.rename(out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def begin(folder: Path, facts: Mapping[str, Any]) -> None:
    """Make a new run folder and say in it how the run was started. It goes on with `drive` inside the same hold."""
    refuse_existing(folder)
    started = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "status": "running", "made": here()}
    started["folder"] = str(folder.resolve())
    try:
        with lock.held(folder) as hold:
            refuse_existing(folder)
            hold.began = True
            write_facts(folder, {**facts, **started})
    except OSError as error:
        raise UserError(f"could not make the run folder {folder}: {error.strerror}; choose another --out") from error


def discard(folder: Path) -> None:
    """Remove from a folder what a run writes into it, and nothing else."""
    for name in _OF_A_RUN:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    for path in folder.glob(".report.html.*"):
        path.unlink()


def model_folder(model: str) -> str:
    """The trained model of a run folder, of two that learned together the one that was evaluated; or what was given."""
    path = Path(model)
    if not (path / "run.json").is_file():
        return model
    if not (path / "model").is_dir():
        raise UserError(f"{model} is a run folder without a trained model: finish it with rlft train --resume {model}")
    first = path / "model" / "one"
    found = first if first.is_dir() else path / "model"
    if (found / WEIGHTS).is_file():
        raise UserError(
            f"{model} has trained no language model: `rlft sample` without --prompt and `rlft eval` without --data use "
            f"it as its recipe does, and in Python rlft.load({model!r}) loads it"
        )
    return str(found)


def circumstances(code: Sequence[Path] = ()) -> dict[str, Any]:
    """Versions, revision and machine: what a number may depend on besides the arguments.

    The revision is that of the user's `code`, a recipe's or reward's file, and then `library` is this library's;
    without such code it is this library's.
    """
    import numpy
    import transformers

    versions = {"rlft": __version__, "python": platform.python_version(), "torch": torch.__version__}
    versions |= {"numpy": numpy.__version__, "transformers": transformers.__version__}
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    machine |= {"model": _processor(), "vectors": torch.backends.cpu.get_cpu_capability()}
    if torch.cuda.is_available():
        machine["gpu"] = torch.cuda.get_device_name()
    revisions = {"revision": revision_of(code), "library": revision()} if code else {"revision": revision()}
    return {"versions": versions, **revisions, "machine": machine}


def _processor() -> str:
    """The processor's model: sums of float32 round otherwise on another."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


@functools.cache
def revision() -> str | None:
    """The git revision of this library's checkout, with `+` if it has been changed; None when installed otherwise.

    Committed results do not count as changes: they decide no number. Asked once: what a process has imported stays.
    """
    here = Path(__file__).parents[1]
    try:
        _git(here, "ls-files", "--error-unmatch", "runs/folder.py")  # not a package inside somebody else's repository
        changed = _git(here, "status", "--porcelain", "--", ".", ":!reproduce/results")
        return _git(here, "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def revision_of(files: Sequence[Path]) -> str | None:
    """The git revision of the repository that the first of these files lies in; None where it lies in none.

    With `+` if one of the files has been changed since, or has never been committed.
    """
    place = files[0].resolve().parent
    try:
        found = _git(place, "rev-parse", "--short=12", "HEAD")
        home = Path(_git(place, "rev-parse", "--show-toplevel"))
        own = [str(path) for file in files if (path := file.resolve()).is_relative_to(home)]
        changed = _git(place, "status", "--porcelain", "--ignored", "--", *own)
    except (OSError, subprocess.SubprocessError):
        return None
    return found + ("+" if changed else "")


def _git(place: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=place, capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()


def fingerprint_of_task(task: Task, most: int = 4096) -> str:
    """A hash of a task's problems, or of `most` of them spread evenly over a larger one."""
    size = task.size or most
    indices = sorted({place * size // min(most, size) for place in range(min(most, size))})
    problems = (task.at(index) for index in (indices if task.size else range(64)))
    return f"{hashed(task.name, size, *(_told(p) for p in problems)):x}"


def _told(problem: Problem) -> tuple[Any, ...]:
    """What a run depends on of a problem; without a demonstration as it was before there were any."""
    shown = () if problem.demonstration is None else (problem.demonstration,)
    return problem.index, problem.input, problem.answer, *shown
