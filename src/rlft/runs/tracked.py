"""The trackers of a run: each follows the run's log, from the first line it does not have. Knows no library of theirs.

    trackers/NAME.json   who the run is there, and the last line of each log that it was given
    trackers/NAME        files of its own

A run that goes on has its log cut to a checkpoint and does some steps again, which gives the same lines; those that a
tracker has are not sent to it twice, and those that it lacks, because it or the run failed, are sent from the log.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft import report, trackers
from rlft.errors import say
from rlft.runs.log import LOGS, Log, facts_of, finite, named
from rlft.trackers.entry import entry
from rlft.trackers.tracker import About, Sent, Tracker

FOLDER = "trackers"
_ORDER = ("samples", "metrics", "evaluations")  # in which a step's lines are written
# Of `run.json` what a tracker shows beside the arguments.
_TOLD = ("recipe", "method", "seed", "revision", "library", "versions", "machine", "started", "command")


@dataclass(frozen=True)
class Tracking:
    """Where a run is seen besides its folder.

    Args:
        track: names of trackers, see `rlft.trackers`.
    """

    track: tuple[str, ...] = ()


def follow(log: Log, chosen: Sequence[str]) -> list[Following]:
    """Trackers that are given every line of a log, those there are at once; only where this process writes it."""
    found = [Following(name, log) for name in chosen] if log.writes else []
    log.followers.extend(one.line for one in found)
    return found


def end(following: Sequence[Following], folder: Path, status: str) -> None:
    """Tell them what has come of the run."""
    for one in following:
        one.end(status, folder)


class Following:
    """One tracker. What it raises is said once; from then on it is given nothing more in this process."""

    def __init__(self, name: str, log: Log):
        self.name, self.log = name, log
        self.file = log.folder / FOLDER / f"{name}.json"
        self.tracker: Tracker | None = None
        self.sent: Sent = {}
        self.at: Sent = {}
        self.kept: dict[str, Any] = {}
        self._trying(self._open)

    def line(self, name: str, values: Mapping[str, Any]) -> None:
        """A line that was just written."""
        self._trying(lambda: self._line(name, values))

    def end(self, status: str, folder: Path) -> None:
        """The run of this folder ended so."""
        if (tracker := self.tracker) is not None:
            self._trying(lambda: self._close(tracker, status, report.read(folder)))
        self.tracker = None

    def _close(self, tracker: Tracker, status: str, run: report.Run) -> None:
        numbers = entry("evaluations", run.evaluations[-1], 1).numbers if run.evaluations else {}
        tracker.summary(dict(report.summary_lines(run)), numbers)
        tracker.close(status)
        self.kept["closed"] = dict(self.sent)
        self._keep()

    def _open(self) -> None:
        self.file.parent.mkdir(exist_ok=True)
        known = _read(self.file)
        self.kept = {"identity": uuid.uuid4().hex[:10], "memory": {}, **known}
        self.tracker = trackers.opened(self.name, self._about(bool(known)))
        noted, closed = (_places(self.kept.get(name)) for name in ("sent", "closed"))
        self.sent = self.tracker.had(noted, closed) if known else {}
        self._keep()
        lines = [(line["step"], _ORDER.index(name), name, line) for name in LOGS for line in self.log.lines(name)]
        for _, _, name, line in sorted(lines, key=lambda one: one[:2]):
            self._line(name, line)

    def _about(self, goes_on: bool) -> About:
        facts, folder = facts_of(self.log.folder), self.log.folder
        told = {**{name: facts[name] for name in _TOLD if name in facts}, **facts.get("arguments", {})}
        told = json.loads(json.dumps(finite(told), default=named))
        name, place = folder.resolve().name, self.file.with_suffix("")
        return About(place, name, self.kept["identity"], _flat(told), goes_on, self.kept["memory"])

    def _line(self, name: str, values: Mapping[str, Any]) -> None:
        """Send a line, unless the tracker has it."""
        if self.tracker is None:
            return
        step, (before, place) = int(values["step"]), self.at.get(name, (-1, 0))
        self.at[name] = here = (step, place + 1 if step == before else 1)
        if here <= self.sent.get(name, (-1, 0)):
            return
        values = json.loads(json.dumps(finite(values), default=named))  # as it stands in the file
        self.tracker.send(entry(name, values, here[1]))
        self.sent[name] = here
        self._keep()

    def _keep(self) -> None:
        beside = self.file.with_suffix(".writing")
        beside.write_text(json.dumps({**self.kept, "sent": self.sent}) + "\n")
        beside.replace(self.file)

    def _trying(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # a library of others', of a network, or of a full disk: no reason to end a run
            self.tracker = None
            told = " ".join(str(error).split())
            say(
                f"the tracker {self.name} failed and is left ({type(error).__name__}: {told:.200}); everything is in "
                f"{self.log.folder}, and a run that goes on with --resume gives it what it missed"
            )


def _read(file: Path) -> dict[str, Any]:
    """What was noted; nothing where nothing was, or where that cannot be read."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _places(told: Any) -> Sent:
    """Places in logs as they stand in a file."""
    return {log: (int(step), int(place)) for log, (step, place) in (told or {}).items()}


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Names of names joined by dots."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found
