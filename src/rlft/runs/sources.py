"""What a run depends on outside its folder, code and data, in hashes that say what has changed. Runs none of it."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from rlft.types import Problem, StoredTask, Task

_PARTS = 64
_MOST = 4096


def code(files: Iterable[Path], directory: Path) -> dict[str, str]:
    """The hash of each Python file, and of the modules beside it that it imports, by its path from `directory`.

    Imports are read, not run; a file that is not there has the hash "".
    """
    found: dict[Path, str] = {}
    todo = [(path.resolve(), path.resolve().parent) for path in files]
    while todo:
        path, root = todo.pop()
        if path in found:
            continue
        data = path.read_bytes() if path.is_file() else b""
        found[path] = hashlib.sha256(data).hexdigest()[:16] if data or path.is_file() else ""
        todo += [(other, root) for other in _beside(data, path, root)]
    home = directory.resolve()
    return {str(p.relative_to(home) if p.is_relative_to(home) else p): found[p] for p in sorted(found)}


def _beside(data: bytes, path: Path, root: Path) -> Iterator[Path]:
    """The files that a module's imports may mean, in its own folder or that of the file it is imported by."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return
    names: list[tuple[Path, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(base, alias.name) for alias in node.names for base in (root, path.parent)]
        elif isinstance(node, ast.ImportFrom):
            bases = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else [root, path.parent]
            names += [(base, f"{node.module or ''}.{alias.name}".strip(".")) for alias in node.names for base in bases]
    for base, name in dict.fromkeys(names):
        parts = [part for part in name.split(".") if part != "*"]
        for count in range(1, len(parts) + 1):
            place = base.joinpath(*parts[:count])
            yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())


def rows(task: Task) -> dict[str, Any]:
    """A task's problems: how many, their columns, and a hash of each 64th part of them.

    All of the rows that are stored (`types.StoredTask`), with all of their columns; of problems that a program makes
    4,096 spread evenly, or the first 64 where they have no end.
    """
    size = task.size or _PARTS
    count = size if isinstance(task, StoredTask) else min(size, _MOST)
    digests = [hashlib.sha256() for _ in range(min(_PARTS, count))]
    columns: dict[str, None] = {}
    for place in range(count):
        problem = task.at(place * size // count)
        columns.update(dict.fromkeys(map(str, problem.columns)))
        digests[place * len(digests) // count].update(_told(problem))
    return {"rows": task.size, "columns": sorted(columns), "parts": [digest.hexdigest()[:12] for digest in digests]}


def _told(problem: Problem) -> bytes:
    held = [problem.index, problem.input, problem.answer, problem.demonstration, problem.columns]
    try:
        return json.dumps(held, default=_plain).encode()
    except (TypeError, ValueError):  # keys that JSON has not, such as pairs
        return str(_plain(held)).encode()


def _plain(value: Any) -> Any:
    """What is no JSON, as something that is equal for equal values."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    return dict(value) if isinstance(value, Mapping) else re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def changed_code(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """A few words on each file that is not as it was."""
    words = []
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            gone, new = not now.get(name), name not in before
            words.append(f"{name} {'is gone' if gone else 'is imported now' if new else 'was edited'}")
    return words


def changed_rows(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A few words on how the problems are not as they were; none where they are."""
    if before == now:
        return []
    if before["rows"] != now["rows"]:
        return [f"the {what} had {before['rows']:,} rows and has {now['rows']:,}"]
    if before["columns"] != now["columns"]:
        names = sorted(set(before["columns"]) ^ set(now["columns"]))
        return [f"the {what} has other columns than it had: {', '.join(names)}"]
    size, parts = now["rows"] or len(now["parts"]), len(now["parts"])
    apart = [i for i, pair in enumerate(zip(before["parts"], now["parts"], strict=True)) if pair[0] != pair[1]]
    first, last = apart[0] * size // parts + 1, -(-(apart[-1] + 1) * size // parts)
    return [f"the {what} is not what it was, in rows {first:,} to {last:,}"]
