"""Every line of a log once, in order, whatever happens to the run or to the tracker; a tracker ends no run."""

import json
import signal

import pytest

from rlft import trackers
from rlft.errors import UserError
from rlft.runs.log import Log
from rlft.runs.tracked import follow
from rlft.trackers.tracker import Tracker
from tests import processes
from tests.runs.tiny import deadly, everything, go_on, lines, start, tiny


class Store(Tracker):
    """A store that keeps what it is given as lines of a file, and fails where it is told to."""

    failing_at = None

    def __init__(self, about):
        self.file = about.folder.with_suffix(".told")
        self.keep("open", about.name, about.configuration["recipe"], about.goes_on)

    def send(self, entry):
        if self.failing_at == (entry.log, entry.step):
            raise OSError(28, "No space left on device")
        self.keep("line", entry.log, entry.step, entry.place, entry.numbers.get("reward"))

    def summary(self, words, numbers):
        self.keep("summary", words["steps"], numbers.get("held-out/reward"))

    def close(self, status):
        self.keep("close", status)

    def keep(self, *what):
        with self.file.open("a") as file:
            file.write(json.dumps(what) + "\n")


@pytest.fixture(autouse=True)
def store(monkeypatch):
    monkeypatch.setattr(trackers, "opened", lambda name, about: Store(about))
    monkeypatch.setattr(Store, "failing_at", None)
    monkeypatch.setattr("rlft.trackers.entry.sheet", lambda rows: None)  # drawing takes longer than these runs


def told(folder, kind="line"):
    found = [json.loads(line) for line in (folder / "trackers" / "store.told").read_text().splitlines()]
    return [rest for what, *rest in found if what == kind]


def expected(folder):
    """What a store should have, from the run's log: (log, step, place, reward of a step), as it is written."""
    found = [("metrics", line["step"], 1, line["reward"]) for line in lines(folder, "metrics")]
    found += [("evaluations", line["step"], 1, None) for line in lines(folder, "evaluations")]
    found += [
        ("samples", step, place, None)
        for step in {line["step"] for line in lines(folder, "samples")}
        for place in (1, 2)
    ]
    order = ["samples", "metrics", "evaluations"]
    return [list(one) for one in sorted(found, key=lambda one: (one[1], order.index(one[0]), one[2]))]


def test_every_line_once_and_the_run_is_the_same(tmp_path):
    start(tmp_path / "run", tiny(every=2), track=("store",))
    start(tmp_path / "alone", tiny(every=2))
    assert told(tmp_path / "run") == expected(tmp_path / "run")
    assert len(told(tmp_path / "run")) == 4 + 3 + 8
    assert told(tmp_path / "run", "open") == [["run", "tiny", False]]
    after = lines(tmp_path / "run", "evaluations")[-1]["reward"]
    assert told(tmp_path / "run", "summary") == [["4 steps", after]]
    assert told(tmp_path / "run", "close") == [["done"]]
    followed, alone = everything(tmp_path / "run"), everything(tmp_path / "alone")
    followed["names"].remove("trackers")
    assert followed == alone


def test_a_run_that_was_killed_goes_on_without_a_line_twice(tmp_path):
    folder = tmp_path / "run"
    killed = processes.start(
        lambda: start(folder, tiny(6, deadly(4), every=2), track=("store",)), into=tmp_path / "first"
    )
    assert processes.done(killed, tmp_path / "first").returncode == -signal.SIGKILL
    assert told(folder)[-1][:2] == ["metrics", 3]  # the last whole step, of which no checkpoint was written
    go_on(folder, tiny(6, every=2))
    assert told(folder) == expected(folder)
    assert told(folder, "open")[1] == ["run", "tiny", True]


def test_a_run_that_goes_on_for_longer(tmp_path):
    folder = tmp_path / "run"
    start(folder, tiny(4), track=("store",))
    go_on(folder, tiny(6))
    rewards = [one[3] for one in told(folder) if one[0] == "metrics"]
    assert rewards == [line["reward"] for line in lines(folder, "metrics")] and len(rewards) == 6
    assert [one[1] for one in told(folder) if one[0] == "evaluations"] == [0, 4, 6]


def test_a_tracker_that_fails_ends_no_run_and_is_given_later_what_it_missed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Store, "failing_at", ("metrics", 2))
    folder = tmp_path / "run"
    start(folder, track=("store",))
    assert len(lines(folder, "metrics")) == 4
    said = capsys.readouterr().err
    assert said.count("the tracker store failed and is left (OSError: [Errno 28] No space left on device)") == 1
    assert [one[:2] for one in told(folder) if one[0] != "samples"] == [["evaluations", 0], ["metrics", 1]]
    monkeypatch.setattr(Store, "failing_at", None)
    go_on(folder)
    assert told(folder) == expected(folder)
    assert told(folder, "close") == [["done"]]


def test_a_tracker_that_cannot_be_opened(tmp_path, capsys, monkeypatch):
    def offline(name, about):
        raise ConnectionError("no login")

    monkeypatch.setattr(trackers, "opened", offline)
    start(tmp_path / "run", track=("store",))
    assert len(lines(tmp_path / "run", "metrics")) == 4
    assert capsys.readouterr().err.count("ConnectionError: no login") == 1


def test_a_run_that_did_nothing_leaves_nothing_of_its_trackers(tmp_path):
    def broken(problems, outputs):
        raise RuntimeError("asleep")

    with pytest.raises(UserError, match="asleep"):
        start(tmp_path / "run", tiny(reward=broken), track=("store",))
    assert not (tmp_path / "run").exists()


def test_of_several_processes_the_first_alone_is_followed(tmp_path):
    log = Log(tmp_path, writes=False)
    assert follow(log, ["store"]) == [] and log.followers == []
    assert not (tmp_path / "trackers").exists()
