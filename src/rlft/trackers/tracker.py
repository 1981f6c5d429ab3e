"""What a tracker does: it is told about a run, given its lines one by one, and told how it ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft.trackers.entry import Entry

Sent = dict[str, tuple[int, int]]
"""The last line that a tracker has of each log: its step, and its place among the lines of that step, from 1."""


@dataclass
class About:
    """What a tracker is told of a run when it is opened.

    folder         where it may keep files, inside the run folder
    name           what the run is called
    identity       a word that no other run has
    configuration  how the run was started: names and plain values, one level deep
    goes_on        whether this tracker has had lines of this run already
    memory         what it wants to know again when the run goes on, plain values; it may write into it
    """

    folder: Path
    name: str
    identity: str
    configuration: Mapping[str, Any]
    goes_on: bool
    memory: dict[str, Any]


class Tracker(ABC):
    """One run in one tracker. Whatever it raises is said once, and the run goes on without it.

    Making one opens the run there, or goes on with it; by default in the project `rlft`.
    """

    @abstractmethod
    def __init__(self, about: About): ...

    def had(self, noted: Sent, closed: Sent) -> Sent:
        """What the tracker has of a run that goes on, and need not be sent.

        noted   what it was given
        closed  what it had been given when it was last closed; the same unless it was killed since
        """
        return noted

    @abstractmethod
    def send(self, entry: Entry) -> None:
        """Take a line. A tracker that may still lose it when the process is killed leaves it out of `had`."""

    @abstractmethod
    def summary(self, words: Mapping[str, str], numbers: Mapping[str, float]) -> None:
        """What has come of the run: the table that the tool prints, and the last evaluation's numbers."""

    @abstractmethod
    def close(self, status: str) -> None:
        """The run ended: `done`, `stopped` or `failed`. One that was stopped may be opened again."""


# A number that every line of a log has, by which a store is asked for the last one it holds.
ALWAYS = {"metrics": "seconds/step", "evaluations": "held-out/reward"}


def last(steps: Iterable[int]) -> tuple[int, int]:
    """The largest of some steps and how often it is there: of a log's lines in a store, the last."""
    found = list(steps)
    return (max(found), found.count(max(found))) if found else (-1, 0)
