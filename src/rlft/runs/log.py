"""The files of a run folder, written so that a crash tears at most a last line. Decides nothing about running."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlft.errors import UserError


def facts_of(folder: Path) -> dict[str, Any]:
    """`run.json` of a run folder."""
    path = folder / "run.json"
    if not path.exists():
        raise UserError(f"{folder} is not a run folder: it has no run.json")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is damaged and cannot be read ({error}); the checkpoints beside it are not") from error


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `run.json` in one rename."""
    beside = folder / ".run.json"
    beside.write_text(json.dumps(finite(facts), indent=1, default=str) + "\n")
    beside.replace(folder / "run.json")


class Log:
    """The JSON lines of a run folder."""

    def __init__(self, folder: Path, writes: bool):
        self.folder, self.writes = folder, writes

    def line(self, name: str, values: Mapping[str, Any]) -> None:
        """Append one line to `name.jsonl`."""
        if self.writes:
            try:
                with (self.folder / f"{name}.jsonl").open("a") as file:
                    file.write(json.dumps(finite(values)) + "\n")
            except OSError as error:
                raise UserError(
                    f"could not write {self.folder / name}.jsonl: {error.strerror}; free some space, then go on with "
                    f"`rlft train --resume {self.folder}`"
                ) from error

    def cut(self, step: int) -> None:
        """Drop the lines of steps that will be done again."""
        if not self.writes:
            return
        for name in ("metrics", "samples", "evaluations"):
            path = self.folder / f"{name}.jsonl"
            if path.exists():
                kept = [line for line in path.read_text().splitlines() if step_of(line) <= step]
                kept = [line for line in kept if json.loads(line).get("when") != "after"]  # it is done at every end
                beside = path.with_suffix(".cut")
                beside.write_text("".join(line + "\n" for line in kept))
                beside.replace(path)

    def status(self, status: str) -> None:
        """Say in `run.json` where the run stands."""
        if self.writes:
            ended = {} if status == "running" else {"ended": datetime.now(UTC).isoformat(timespec="seconds")}
            write_facts(self.folder, {**facts_of(self.folder), **ended, "status": status})


def step_of(line: str) -> float | int:
    """The step of a line of a log; infinite for one that cannot be read."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):  # a torn last line
        return math.inf


def finite(value: Any) -> Any:
    """JSON has no NaN: null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
