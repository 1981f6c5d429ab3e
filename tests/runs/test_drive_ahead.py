"""A run whose rows are drawn ahead loses nothing either: its folder after a stop, a kill and a change of processes."""

import json
import os
import shutil
import signal

import pytest

from rlft.runs.folder import Stopped
from rlft.types import UserError
from tests.runs.tiny import everything, failing, go_on, lines, start, tiny

DISTANCE = 2


def built(**told):
    return tiny(every=2, ahead=DISTANCE, **told)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """An uninterrupted run of four steps, with an evaluation after two."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    start(folder, built())
    return folder


def test_it_says_how_old_its_rows_were(straight):
    assert [line["version/lag"] for line in lines(straight, "metrics")] == [0, 1, 2, 2]
    assert {line["step"] for line in lines(straight, "samples")} >= {1, 2, 3, 4}


@pytest.mark.parametrize("at", [3, 4, 5])
def test_a_clean_stop_loses_nothing(tmp_path, straight, at):
    """Asked to stop in the rewards of some step, which may be given before that step comes."""
    folder = tmp_path / "run"
    with pytest.raises(Stopped):
        start(folder, built(reward=failing(at, lambda: os.kill(os.getpid(), signal.SIGINT))))
    assert not (folder / "model").exists()
    go_on(folder, built())
    assert everything(folder) == everything(straight)


def test_an_error_in_the_background_loses_nothing(tmp_path, straight):
    folder = tmp_path / "run"
    with pytest.raises(UserError, match="asleep"):
        start(folder, built(reward=failing(5)))
    go_on(folder, built())
    assert everything(folder) == everything(straight)


def test_rows_that_wait_belong_to_their_processes(tmp_path, straight):
    """A checkpoint between two steps may go on with another number of processes, unless rows wait in it."""
    folder = shutil.copytree(straight, tmp_path / "run")
    newest = sorted((folder / "checkpoints").iterdir())[-1]
    manifest = json.loads((newest / "manifest.json").read_text())
    assert manifest["ahead"] == DISTANCE and "." not in newest.name
    shutil.copy(newest / "own-0.pt", newest / "own-1.pt")
    manifest["files"]["own-1.pt"] = manifest["files"]["own-0.pt"]
    (newest / "manifest.json").write_text(json.dumps({**manifest, "processes": 2}))
    with pytest.raises(UserError, match=r"taken with rows that were drawn ahead by 2 processes .* there are 1"):
        go_on(folder, tiny(steps=6, every=2, ahead=DISTANCE))
