"""A run folder belongs to one process at a time."""

import json
import os
import subprocess
import sys
import threading

import pytest

from rlft.reproduce.cells import Cell, run_cell
from rlft.runs import lock
from rlft.runs.lock import held
from rlft.types import UserError
from tests.reproduce.test_reproduce import REACH
from tests.runs.tiny import go_on, start

OTHER = "import sys; from rlft.runs.lock import held; from pathlib import Path\nwith held(Path(sys.argv[1])): "


def other(folder, then):
    """Another process, once it holds the folder."""
    code = OTHER + f"print('held', flush=True); {then}"
    process = subprocess.Popen([sys.executable, "-c", code, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_process_is_refused_and_told_whose_it_is(tmp_path):
    process = other(tmp_path, "input()")
    with pytest.raises(UserError, match=rf"is in use by process {process.pid} on \S+, since 20\d\d-.*: wait for it"):
        start(tmp_path)
    process.communicate(b"\n")
    assert list(tmp_path.iterdir()) == []
    start(tmp_path)


def test_a_cell_of_an_experiment_that_somebody_runs_is_refused(tmp_path):
    cell = Cell(REACH, "rloo", 0)
    process = other(cell.folder(tmp_path), "input()")
    with pytest.raises(UserError, match=f"is in use by process {process.pid}"):
        run_cell(cell, tmp_path)
    process.communicate(b"\n")


def test_a_killed_process_holds_nothing_and_is_remembered(tmp_path, capsys):
    start(tmp_path / "run")
    process = other(tmp_path / "run", "__import__('os')._exit(0)")
    process.wait()
    assert (tmp_path / "run" / ".lock").exists()
    go_on(tmp_path / "run")
    said = capsys.readouterr().err
    assert f"ended without a word (process {process.pid} on" in said and "os._exit" in said
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_fork_that_outlives_its_process_does_not_keep_the_folder(tmp_path):
    sleeps = "import os, time\n    if os.fork() == 0: time.sleep(60); os._exit(0)\n    os._exit(0)"
    process = subprocess.Popen([sys.executable, "-c", OTHER + "\n    " + sleeps, tmp_path], start_new_session=True)
    process.wait()
    try:
        with held(tmp_path) as hold:
            assert hold.left is not None and hold.left["pid"] == process.pid
    finally:
        os.killpg(process.pid, 9)


def test_one_thread_may_hold_it_twice_and_another_not(tmp_path):
    found = []

    def second():
        with pytest.raises(UserError, match="in use by another thread"), held(tmp_path):
            pass
        found.append(True)

    with held(tmp_path) as outer, held(tmp_path) as inner:
        assert inner is outer
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    assert found == [True] and lock._HELD == {}


def test_a_process_that_does_not_write_holds_nothing(tmp_path):
    with held(tmp_path), held(tmp_path / "run", here=False):
        assert not (tmp_path / "run").exists()


def test_nothing_stays_of_a_folder_that_was_made_for_nothing(tmp_path):
    with held(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=r"cannot work in the run folder .*Permission denied"), held(tmp_path):
        pass
