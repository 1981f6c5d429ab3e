"""`--track`: said before anything runs, remembered by the run, and another list for a run that goes on."""

import json
from pathlib import Path

import pytest

from rlft import trackers
from rlft.options.arguments import take_several
from rlft.trackers.tracker import Tracker
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]
RECIPE = Path(__file__).parent / "little.py"


class Counted(Tracker):
    """A tracker that counts its lines."""

    opened: list["Counted"] = []  # noqa: RUF012

    def __init__(self, about):
        self.name, self.configuration, self.lines = about.folder.name, about.configuration, 0
        Counted.opened.append(self)

    def send(self, entry):
        self.lines += 1

    def summary(self, words, numbers):
        assert words["steps"] == "6 steps"

    def close(self, status):
        assert status == "done"


def test_several_words_up_to_the_next_option():
    words = ["a", "--track", "x", "y", "--steps", "3"]
    assert take_several(words, "--track") == ["x", "y"] and words == ["a", "--steps", "3"]
    words = ["--track=x,y"]
    assert take_several(words, "--track") == ["x", "y"] and words == []
    assert take_several(["--tracks", "x"], "--track") is None


def test_a_run_and_one_that_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trackers, "opened", lambda name, about: Counted(about))
    monkeypatch.setattr("rlft.tool.run.checked", tuple)
    folder = tmp_path / "run"
    assert tool("run", RECIPE, "--track", "a", "b", "--seed", 3, "--out", folder) == 0
    assert [one.name for one in Counted.opened] == ["a", "b"]
    a, b = Counted.opened
    kept = sum(len((folder / f"{log}.jsonl").read_text().splitlines()) for log in ("metrics", "samples", "evaluations"))
    assert a.lines == b.lines == kept > 8
    assert a.configuration["seed"] == 3 and a.configuration["method.epochs"] == 2
    assert tool("run", RECIPE, "--resume", folder, "--track", "a", "c") == 0
    assert [one.name for one in Counted.opened[2:]] == ["a", "c"]
    assert [one.lines for one in Counted.opened[2:]] == [0, kept]  # the new one is given everything
    assert json.loads((folder / "run.json").read_text())["track"] == ["a", "c"]
    assert "failed" not in capsys.readouterr().err


def test_what_is_not_there_is_said_first(tmp_path, capsys):
    assert tool("run", RECIPE, "--track", "tensorbord", "--out", tmp_path / "run") == 2
    assert "unknown tracker 'tensorbord'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
