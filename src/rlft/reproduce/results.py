"""The committed results, one JSON file a system. Reads and writes them; computes nothing.

`results/KEY.json` holds the declared claim, the number of every arm and seed, the settings, versions, revision and the
verdict; `results/KEY.md`, where it exists, what a person made of them. Every table, page and state is read from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlft.errors import UserError

FOLDER = Path(__file__).parent / "results"


def load(key: str) -> dict[str, Any] | None:
    """The committed result of a system; None without one."""
    path = FOLDER / f"{key}.json"
    return read(path) if path.is_file() else None


def read(path: Path) -> dict[str, Any]:
    """A result file."""
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is damaged and cannot be read ({error})") from error


def write(path: Path, result: Mapping[str, Any]) -> None:
    """A result file, in one rename; one line a run, so that two versions can be compared."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(_lines(result) + "\n")
    beside.replace(path)


def reading(key: str) -> str:
    """What a person made of the numbers; empty if nobody wrote it."""
    path = FOLDER / f"{key}.md"
    return path.read_text().strip() if path.is_file() else ""


def _lines(value: Any, depth: int = 0) -> str:
    """JSON with a line for each item of the three outer levels."""
    if depth >= 4 or not isinstance(value, dict | list) or not value:
        return json.dumps(value, allow_nan=False)
    inner, end = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        items = [f"{json.dumps(str(name))}: {_lines(item, depth + 1)}" for name, item in value.items()]
        return "{" + inner + f",{inner}".join(items) + end + "}"
    return "[" + inner + f",{inner}".join(_lines(item, depth + 1) for item in value) + end + "]"
