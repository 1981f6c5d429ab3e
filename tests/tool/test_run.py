"""Run folders: what is written, and that nothing is lost when a run is stopped, killed, damaged or out of space."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch

from rlft.runs import checkpoint
from rlft.tool.main import main
from rlft.types import UserError
from tests import processes

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
RECIPE = HERE / "little.py"


def rlft(*words, check=None, wait=True):
    """Run the tool as a person would."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DIE": ""}
    command = [sys.executable, "-m", "rlft", *map(str, words)]
    if not wait:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert check is None or done.returncode == check, done.stdout + done.stderr
    return done


def forked(*words, into, die="", check=None):
    """The tool in a process that has loaded what it needs."""
    _loaded()
    into = into / f"{len(list(into.iterdir()))}"
    done = processes.done(processes.start(main, [str(word) for word in words], into=into, DIE=die), into)
    assert check is None or done.returncode == check, done.stdout + done.stderr
    return done


@cache
def _loaded():
    """A run in this process, so that no fork of it has to load drawing, models and templates again."""
    with TemporaryDirectory() as folder, pytest.raises(SystemExit) as stopped:
        main(["run", "point_mass", "--steps", "1", "--prompts", "2", "--group", "2", "--out", f"{folder}/run"])
    assert not stopped.value.code


def lines(folder, name):
    """The lines of a log without what depends on the clock."""
    found = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith(("seconds", "decisions_per"))} for line in found]


def last_weights(folder):
    state, _, passed = checkpoint.load(folder / "checkpoints")
    assert not passed
    return state["shared"]


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    done = rlft("run", RECIPE, "--out", folder, "--save-every", 2, check=0)
    return folder, done


def assert_same_run(folder, straight):
    assert lines(folder, "metrics") == lines(straight, "metrics")
    assert lines(folder, "evaluations") == lines(straight, "evaluations")
    assert same(last_weights(folder), last_weights(straight))


def test_what_a_run_leaves(straight):
    folder, done = straight
    assert {"run.json", "metrics.jsonl", "samples.jsonl", "evaluations.jsonl", "report.html", "model"} <= {
        path.name for path in folder.iterdir()
    }
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "done"
    assert facts["method"] == "ppo"
    assert facts["arguments"]["method"]["epochs"] == 2
    assert facts["versions"]["torch"] == torch.__version__
    assert [line["step"] for line in lines(folder, "metrics")] == [1, 2, 3, 4, 5, 6]
    assert [line["when"] for line in lines(folder, "evaluations")] == ["before", "after"]
    assert "report.html" in done.stdout
    assert lines(folder, "metrics")[0]["reward"] != lines(folder, "metrics")[-1]["reward"]


@pytest.mark.parametrize("die", ["reward:4", "update:14", "save:2", "save:3"])
def test_sigkill_loses_nothing(die, straight, tmp_path):
    """Killed while rewards are worked out, between two updates of a step whose predecessor is in the log but not in a
    checkpoint, in the middle of writing a checkpoint."""
    folder = tmp_path / "run"
    killed = forked("run", RECIPE, "--out", folder, "--save-every", 2, die=die, into=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    assert json.loads((folder / "run.json").read_text())["status"] == "running"
    if die.startswith("save"):
        assert any(path.name.endswith(".writing") for path in (folder / "checkpoints").iterdir())
    forked("run", RECIPE, "--resume", folder, check=0, into=tmp_path)
    assert_same_run(folder, straight[0])


def test_a_request_to_stop_saves_inside_the_step_and_goes_on(straight, tmp_path):
    folder = tmp_path / "run"
    process = rlft("run", RECIPE, "--out", folder, "--steps", 100000, "--save-every", 100000, wait=False)
    deadline = time.monotonic() + 60
    while not (folder / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, out + err
    assert "go on with" in err
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "stopped"
    done = len(lines(folder, "metrics"))
    assert 1 <= done < 100000
    assert lines(folder, "metrics")[: min(done, 6)] == lines(straight[0], "metrics")[: min(done, 6)]


def test_a_flipped_byte_goes_back_one_checkpoint_and_says_so(straight, tmp_path):
    folder = tmp_path / "run"
    forked("run", RECIPE, "--out", folder, "--save-every", 2, die="reward:6", into=tmp_path)
    newest = sorted((folder / "checkpoints").glob("step-*"))[-1]
    data = bytearray((newest / "shared.pt").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "shared.pt").write_bytes(data)
    done = forked("run", RECIPE, "--resume", folder, check=0, into=tmp_path)
    assert f"checkpoint {newest.name} is damaged (shared.pt does not match its hash)" in done.stderr
    assert_same_run(folder, straight[0])


def test_no_whole_checkpoint_is_an_error(straight, tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    with pytest.raises(UserError, match=r"no usable checkpoint .* there is none"):
        checkpoint.load(folder)
    (folder / "step-000001").mkdir()
    with pytest.raises(UserError, match="its manifest cannot be read"):
        checkpoint.load(folder)


def test_an_existing_folder_is_refused_and_untouched(straight, tmp_path):
    folder = straight[0]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = forked("run", RECIPE, "--out", folder, check=2, into=tmp_path)
    assert f"{folder} exists already and nothing in it will be overwritten" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_no_space_left_keeps_the_earlier_checkpoints(straight, tmp_path, monkeypatch):
    """A full device, as the kernel reports it: /dev/full fails every write with ENOSPC."""
    state, _, _ = checkpoint.load(straight[0] / "checkpoints")
    kept = checkpoint.save(tmp_path, {**state, "shared": {**state["shared"], "steps_done": 1}})
    opened = Path.open

    def full(self, mode="r", *rest, **named):
        return (
            opened(Path("/dev/full"), mode)
            if self.name == "shared.pt" and "w" in mode
            else opened(self, mode, *rest, **named)
        )

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(
        UserError, match=r"could not write checkpoint .*step-000006.*No space left on device.*untouched"
    ):
        checkpoint.save(tmp_path, state)
    monkeypatch.undo()
    again, path, passed = checkpoint.load(tmp_path)
    assert (path, passed) == (kept, [])
    assert again["shared"]["steps_done"] == 1


def test_old_checkpoints_are_dropped(straight):
    assert len(list((straight[0] / "checkpoints").iterdir())) == 2


def test_a_model_that_changed_since_cannot_be_resumed(straight, tmp_path):
    folder = tmp_path / "run"
    forked("run", RECIPE, "--out", folder, "--save-every", 2, die="reward:4", into=tmp_path)
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**facts, "start": {"model": "another"}}))
    done = forked("run", RECIPE, "--resume", folder, check=2, into=tmp_path)
    assert "was started from has changed since" in done.stderr
