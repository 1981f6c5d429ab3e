"""Cells that run elsewhere: their numbers and files are those of cells that ran here."""

import pickle
from pathlib import Path

import pytest

from rlft.errors import UserError
from rlft.reproduce.cells import Cell, log_of, measured
from rlft.reproduce.elsewhere import Elsewhere, packed, unpacked
from rlft.reproduce.runner import run_cells
from tests.reproduce.test_reproduce import REACH


class Far:
    """Another machine, for all that a cell can see: what is sent and returned is pickled, and names no place here."""

    def __init__(self):
        self.cancelled = 0

    def call(self, function, *arguments):
        function, arguments = pickle.loads(pickle.dumps((function, arguments)))
        assert Path(arguments[0].recipe).is_absolute()  # it is looked up in another folder there
        return pickle.loads(pickle.dumps(function(*arguments)))

    def cancel(self):
        self.cancelled += 1


def numbers(found):
    return [{name: value for name, value in run.items() if name != "cost/seconds"} for run in found]


def test_the_numbers_and_files_are_those_of_cells_run_here(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(REACH).parent)
    cells = [Cell("reach.py", arm, 0, {"steps": 2}) for arm in ("rloo", "reinforce")]
    far = Far()
    here = run_cells(cells, tmp_path / "here", workers=0)
    there = run_cells(cells, tmp_path / "there", workers=1, pool=lambda workers: Elsewhere(workers, far))
    assert numbers(there) == numbers(here)
    assert len(numbers(there)[0]) > 10
    assert far.cancelled == 1
    for cell in cells:
        files = [
            sorted(str(path.relative_to(root)) for path in cell.folder(root).rglob("*"))
            for root in (tmp_path / "here", tmp_path / "there")
        ]
        assert files[0] == files[1]
        assert f"{cell.folder(tmp_path).name}/measured.json" in files[1]
        assert log_of(cell.folder(tmp_path / "there")).exists()


def test_one_that_was_begun_here_goes_on_there(tmp_path):
    """What a folder holds is sent: a cell that is done already is not run again, but comes back."""
    cell = Cell(REACH, "base", 0)
    folder = cell.folder(tmp_path)
    folder.mkdir()
    (folder / "measured.json").write_text('{"reward": 7.0}')
    with Elsewhere(1, Far()) as pool:
        assert pool.submit(run_cells, cell, tmp_path).result() == {"reward": 7.0}


def test_one_that_fails_says_why_and_its_log_comes_back(tmp_path):
    good, bad = Cell(REACH, "base", 0), Cell(REACH, "rloo", 0, {"prompts": 0})
    with pytest.raises(UserError, match=r"1 of 2 runs failed.*prompts.*same command"):
        run_cells([bad, good], tmp_path / "runs", 1, pool=lambda workers: Elsewhere(workers, Far()))
    assert measured(good.folder(tmp_path / "runs"))
    assert measured(bad.folder(tmp_path / "runs")) is None
    assert log_of(bad.folder(tmp_path / "runs")).exists()


def test_what_is_packed_is_all_but_the_lock(tmp_path):
    folder = tmp_path / "from" / "cell"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("run.json", "checkpoints/1", ".lock"):
        (folder / name).write_text(name)
    log_of(folder).write_text("said")
    to = tmp_path / "to"
    unpacked(packed(folder), to)
    assert sorted(str(path.relative_to(to)) for path in to.rglob("*") if path.is_file()) == [
        "cell.log",
        "cell/checkpoints/1",
        "cell/run.json",
    ]
    unpacked(packed(tmp_path / "nothing"), tmp_path / "empty")
    assert not (tmp_path / "empty").exists() or not list((tmp_path / "empty").iterdir())
