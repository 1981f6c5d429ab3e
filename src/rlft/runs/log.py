"""The files of a run folder, written so that a crash tears at most a last line. Decides nothing about running."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from rlft.errors import UserError

LOGS = ("metrics", "samples", "evaluations")


def facts_of(folder: Path) -> dict[str, Any]:
    """`run.json` of a run folder."""
    path = folder / "run.json"
    if not path.exists():
        raise UserError(f"{folder} is not a run folder: it has no run.json")
    try:
        facts = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is damaged and cannot be read ({error}); the checkpoints beside it are not") from error
    if not isinstance(facts, dict):
        raise UserError(f"{path} is damaged: it holds no object; the checkpoints beside it are not")
    return facts


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `run.json` in one rename."""
    beside = folder / ".run.json"
    with beside.open("w") as file:
        file.write(json.dumps(finite(facts), indent=1, default=named) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / "run.json")


class Log:
    """The JSON lines of a run folder."""

    def __init__(self, folder: Path, writes: bool):
        self.folder, self.writes, self._owner = folder, writes, os.getpid()
        self.followers: list[Callable[[str, Mapping[str, Any]], None]] = []  # told each line once it is written

    def line(self, name: str, values: Mapping[str, Any]) -> None:
        """Append one line to `name.jsonl`."""
        if self.writes:
            self._refuse_a_fork()
            try:
                with (self.folder / f"{name}.jsonl").open("a") as file:
                    file.write(json.dumps(finite(values), default=named) + "\n")
            except OSError as error:
                raise UserError(
                    f"could not write {self.folder / name}.jsonl: {error.strerror}; free some space, then go on with "
                    f"`rlft train --resume {self.folder}`"
                ) from error
            for follow in self.followers:
                follow(name, values)

    def has(self, name: str, **values: Any) -> bool:
        """Whether a line of `name.jsonl` has these values."""
        return any(all(line.get(key) == value for key, value in values.items()) for line in self.lines(name))

    def sizes(self) -> dict[str, int]:
        """How long each file is, in bytes, once everything in it is on the disk."""
        found = {}
        for name in LOGS if self.writes else ():
            path = self.folder / f"{name}.jsonl"
            if path.exists():
                with path.open("r+b") as file:
                    os.fsync(file.fileno())
                found[name] = path.stat().st_size
        return found

    def cut(self, step: int, sizes: Mapping[str, int] | None = None) -> list[str]:
        """Drop what was written after a checkpoint at `step`; a sentence on each file that lacks something from before.

        `sizes` are those of the time of the checkpoint. Without them lines are dropped by their steps.
        """
        missing = []
        for name in LOGS if self.writes else ():
            path, kept = self.folder / f"{name}.jsonl", (sizes or {}).get(name, 0)
            data = path.read_bytes() if path.exists() else b""
            if sizes is None:
                whole = b"".join(line for line in data.splitlines(keepends=True) if _done(line, step))
            else:
                whole = data[:kept]
                whole = whole[: whole.rfind(b"\n") + 1]
                if len(whole) < kept:
                    missing.append(f"{path.name} lacks lines that were in it; their steps are not done again")
            if whole != data:
                beside = path.with_suffix(".cut")
                beside.write_bytes(whole)
                beside.replace(path)
        return missing

    def status(self, status: str, **facts: Any) -> None:
        """Say in `run.json` where the run stands, and other facts by their names."""
        if self.writes:
            self._refuse_a_fork()
            ended = {} if status == "running" else {"ended": datetime.now(UTC).isoformat(timespec="seconds")}
            write_facts(self.folder, {**facts_of(self.folder), **ended, **facts, "status": status})

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of `name.jsonl`, without one that is torn."""
        path, found = self.folder / f"{name}.jsonl", []
        for line in path.read_text().splitlines() if path.exists() else ():
            with suppress(ValueError):  # a torn last line
                found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict)]

    def _refuse_a_fork(self) -> None:
        if os.getpid() != self._owner:
            os.write(2, b"rlft: a fork of this run came back into it, and was ended: a reward must end its own forks\n")
            os._exit(1)


def _done(line: bytes, step: int) -> bool:
    """Whether a line is of a step that is done; of evaluations at the end none is, since each end has its own."""
    return step_of(line) <= step and json.loads(line).get("when") != "after"


def step_of(line: str | bytes) -> float | int:
    """The step of a line of a log; infinite for one that cannot be read."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):  # a torn last line
        return math.inf


def named(value: Any) -> Any:
    """What is no JSON, in words that are equal for equal things, also in another process: functions by their names."""
    if isinstance(value, functools.partial):
        return {"function": named(value.func), "arguments": [*value.args], **value.keywords}
    if isinstance(value, type | FunctionType | MethodType | BuiltinFunctionType):
        module = re.sub(r"^rlft_user_(.*)_[0-9a-f]+$", r"\1.py", value.__module__ or "")
        return f"{module}:{value.__qualname__}" if module.endswith(".py") else f"{module}.{value.__qualname__}"
    if dataclasses.is_dataclass(value):
        return {"kind": type(value).__name__, **{f.name: getattr(value, f.name) for f in dataclasses.fields(value)}}
    return str(value) if isinstance(value, Path) else re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def finite(value: Any) -> Any:
    """JSON has no NaN: null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
