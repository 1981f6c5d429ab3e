"""Calls as tasks of a cluster of this machine, the one of `test_ray`."""

import importlib.util
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from rlft.runtime.ray_tasks import RayTasks
from rlft.types import UserError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray here: pip install 'rlft[ray]'"),
]


def environment(name):
    return os.environ.get(name), os.getpid()


def wrong():
    raise UserError("what was given")


def killed_once(folder):
    """Its process is killed the first time, as if its machine were gone."""
    if not (Path(folder) / "tried").exists():
        (Path(folder) / "tried").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


@pytest.fixture
def tasks(ray):
    found = RayTasks(2)
    assert not found.started  # it is the cluster that runs
    yield found
    found.close()


def test_a_call_runs_in_a_process_of_one_thread(tasks, monkeypatch):
    monkeypatch.setenv("RLFT_CACHE", "/kept")
    assert tasks.call(environment, "OMP_NUM_THREADS")[0] == "1"
    cache, process = tasks.call(environment, "RLFT_CACHE")
    assert cache == "/kept"
    assert process != os.getpid()


def test_what_it_raises_is_raised_here(tasks):
    with pytest.raises(UserError, match=r"^what was given$"):
        tasks.call(wrong)


def test_one_whose_process_dies_is_tried_again(tasks, tmp_path):
    assert tasks.call(killed_once, str(tmp_path)) == "done"


def test_what_runs_can_be_ended(tasks):
    found = []

    def wait():
        try:
            tasks.call(time.sleep, 600)
        except UserError as error:
            found.append(str(error))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    while waiting.is_alive() and not tasks.running:
        time.sleep(0.01)
    tasks.cancel()
    waiting.join(60)
    assert len(found) == 1
    assert "died or was ended" in found[0]
