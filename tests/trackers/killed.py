"""A run that is killed while it is followed, and goes on: what its log says, for a tracker to be held against."""

import importlib.util
import json
import signal

import pytest

import rlft.report.pictures  # noqa: F401  loaded before the forks are made
from tests import processes
from tests.runs.tiny import deadly, go_on, start, tiny


def needs(name):
    """Skips the tests of a tracker whose library is not here, without importing it: forks of these tests do."""
    return [
        pytest.mark.slow,
        pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed"),
    ]


def killed_and_gone_on(folder, name, **environment):
    """Six steps with an evaluation after two; killed in the rewards of the fourth, whose checkpoint is that of two."""
    places = [folder.parent / word for word in ("first", "second")]
    first = processes.start(
        lambda: start(folder, tiny(6, deadly(4), every=2), track=(name,), samples=3), into=places[0], **environment
    )
    assert processes.done(first, places[0]).returncode == -signal.SIGKILL
    assert [line["step"] for line in read(folder, "metrics")] == [1, 2, 3]
    second = processes.start(lambda: go_on(folder, tiny(6, every=2), samples=3), into=places[1], **environment)
    done = processes.done(second, places[1])
    assert done.returncode == 0 and "failed and is left" not in done.stderr, done.stderr


def read(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def curves(folder):
    """{name: [(step, number)]} of a run's log, without what depends on the clock."""
    found = {}
    for line in read(folder, "metrics"):
        for name, value in line.items():
            if name != "step" and value is not None and timeless(name):
                found.setdefault(name, []).append((line["step"], float(value)))
    for line in read(folder, "evaluations"):
        found.setdefault("held-out/reward", []).append((line["step"], line["reward"]))
        found.setdefault("held-out/reward/low", []).append((line["step"], line["interval"][0]))
    assert [step for step, _ in found["reward"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in found["held-out/reward"]] == [0, 2, 4, 6]
    return found


def timeless(name):
    return not name.startswith(("seconds", "decisions_per"))
