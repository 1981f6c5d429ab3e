"""A line of a run's log as every tracker can show it: numbers by names, a text, pictures. Reads no files."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlft.report.sheets import sheet

_URI = re.compile(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)")
_LONGEST = 4000  # characters of a text that are shown
# The lines of a step that can be told apart by their order: so many of samples, one of metrics, and of evaluations.
_LINES, _BEFORE = 1000, {"samples": 0, "metrics": 900, "evaluations": 910}


@dataclass(frozen=True)
class Entry:
    """One line of a log.

    log       metrics, evaluations or samples
    step      steps done when it was written
    place     its place among the lines of this log of this step, from 1
    numbers   by names; an evaluation's begin with its own, `held-out/reward`
    text      Markdown; samples have one
    pictures  files, PNG or JPEG
    """

    log: str
    step: int
    place: int
    numbers: Mapping[str, float] = field(default_factory=dict)
    text: str = ""
    pictures: Sequence[bytes] = ()

    @property
    def order(self) -> int:
        """A number that grows from line to line of a run: samples of a step, its numbers, then evaluations."""
        return self.step * _LINES + _BEFORE[self.log] + min(self.place, 9 if self.log != "samples" else 899)


def entry(log: str, line: Mapping[str, Any], place: int) -> Entry:
    """What a line of a log says."""
    step = int(line["step"])
    if log == "samples":
        return Entry(log, step, place, text=_told(line), pictures=_shown(line))
    told = {name: value for name, value in line.items() if name != "step"}
    if log == "evaluations":
        name, ends = told.get("name", "evaluation"), list(told.get("interval") or [])
        told |= dict(zip(("reward/low", "reward/high"), ends, strict=False))
        told = {f"{name}/{key}": value for key, value in told.items()}
    return Entry(log, step, place, {key: float(value) for key, value in told.items() if _number(value)})


def table(words: Mapping[str, str]) -> str:
    """Labels and what they say, as a table of Markdown."""
    return "\n".join(["| | |", "|---|---|", *(f"| {label} | {value} |" for label, value in words.items())])


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _told(line: Mapping[str, Any]) -> str:
    """A problem and its rows, each beneath its reward."""
    problem = line.get("problem") or {}
    parts = [f"problem {problem.get('index')}"]
    parts += [f"{name}:\n\n{_fenced(problem[name])}" for name in ("input", "answer") if problem.get(name) is not None]
    rows: Any = line.get("rows") or ()
    for number, row in enumerate(rows, 1):
        words, messages = row.get("text"), row.get("messages")
        if words is None and messages:
            words = "\n".join(f"{message.get('role')}: {message.get('text')}" for message in messages)
        told = f"row {number}, reward {row.get('reward')}"
        parts.append(told if words is None else f"{told}:\n\n{_fenced(words)}")
    return "\n\n".join(parts)


def _fenced(value: Any) -> str:
    """A text as it is, however many backquotes it has."""
    text = str(value)[:_LONGEST]
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def _shown(line: Mapping[str, Any]) -> list[bytes]:
    """What the problem showed, and its rows where they can be drawn."""
    shown = (line.get("problem") or {}).get("shown") or ()
    found = [_URI.fullmatch(str(one.get("uri"))) for one in shown if isinstance(one, Mapping)]
    drawn = sheet([row for row in line.get("rows") or () if isinstance(row, Mapping)])
    return [base64.b64decode(match[1]) for match in found if match] + ([] if drawn is None else [drawn])
