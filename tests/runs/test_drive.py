"""Nothing of a run is lost: whatever is missing, damaged or in the way, and whenever it is stopped."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from rlft.rewards.environment import environment_reward
from rlft.runs import checkpoint
from rlft.runs.drive import drive
from rlft.runs.folder import Stopped
from rlft.types import UserError
from tests.runs.tiny import everything, failing, go_on, lines, start, status, tiny


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """An uninterrupted run of four steps, with an evaluation after two."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    start(folder, tiny(every=2))
    return folder


@pytest.fixture
def run(straight, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(straight, tmp_path / "run"))


def signalled():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_finished_run_without_checkpoints_is_refused_and_kept(run):
    shutil.rmtree(run / "checkpoints")
    before = everything(run)
    with pytest.raises(UserError, match="has no checkpoints, so there is nothing to go on from, and what it holds"):
        go_on(run, tiny(reward=failing(1)))
    assert everything(run) == before
    assert status(run) == "done"


def test_a_new_run_that_did_nothing_leaves_nothing_and_takes_nothing_along(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(UserError, match="asleep"):
        start(folder, tiny(reward=failing(1)))
    assert not folder.exists()

    def moved_in():
        (folder / "notes.txt").write_text("mine")
        raise RuntimeError("asleep")

    folder.mkdir()
    with pytest.raises(UserError, match="asleep"):
        start(folder, tiny(reward=failing(1, moved_in)))
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_run_killed_before_its_first_checkpoint_begins_again(tmp_path, straight):
    folder = tmp_path / "run"
    folder.mkdir()
    facts = json.loads((straight / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**facts, "status": "running"}))
    go_on(folder, tiny(every=2))
    assert everything(folder) == everything(straight)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_clean_stop_loses_nothing(tmp_path, straight, at):
    """The request comes while the rewards of a step are worked out, so the run stops inside that step."""
    folder = tmp_path / "run"
    with pytest.raises(Stopped):
        start(folder, tiny(every=2, reward=failing(at, signalled)))
    assert status(folder) == "stopped"
    newest = checkpoint.there(folder / "checkpoints")[-1]
    assert newest.name == f"step-{at - 1:06d}.000"
    go_on(folder, tiny(every=2))
    assert everything(folder) == everything(straight)


@pytest.mark.parametrize("at", [2, 4])
def test_an_error_loses_nothing(tmp_path, straight, at):
    folder = tmp_path / "run"
    with pytest.raises(UserError, match="asleep"):
        start(folder, tiny(every=2, reward=failing(at)))
    assert status(folder) == "failed"
    go_on(folder, tiny(every=2))
    assert everything(folder) == everything(straight)


def test_a_stop_in_an_evaluation(tmp_path, straight):
    """Before, on the way and after: nothing is evaluated twice, and nothing left out."""
    folder, calls = tmp_path / "run", []

    def run(at):
        made = tiny(every=2)

        def reward(problems, outputs):
            calls.append(1)
            if len(calls) == at:
                signalled()
            return environment_reward(problems, outputs)

        made.reward = reward
        made.problems = 65  # two batches, between which it stops
        return made

    for at, step in ((1, 0), (4, 2), (7, 4)):
        with pytest.raises(Stopped):
            start(folder, run(at)) if not folder.exists() else go_on(folder, run(at))
        assert checkpoint.there(folder / "checkpoints")[-1].name == f"step-{step:06d}"
    go_on(folder, run(0))
    whens = [(line["step"], line["when"]) for line in lines(folder, "evaluations")]
    assert whens == [(0, "before"), (2, "during"), (4, "after")]
    assert lines(folder, "metrics") == lines(straight, "metrics")


def test_a_finished_run_goes_on_when_it_is_given_more_steps(tmp_path, straight):
    folder = tmp_path / "run"
    start(folder, tiny(steps=2, every=2))
    assert go_on(folder, tiny(steps=2, every=2)) == {}
    go_on(folder, tiny(steps=4, every=2))
    assert everything(folder) == everything(straight)
    assert json.loads((folder / "run.json").read_text())["steps"] == 4


def test_the_model_is_saved_whole_or_not_at_all(tmp_path, straight, monkeypatch):
    folder, made = tmp_path / "run", tiny(every=2)

    def full(target):
        target.mkdir()
        (target / "weights.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(made.trainer.policy), "save", lambda self, target: full(target))
    with pytest.raises(UserError, match=r"could not save the model to .*/model: No space left on device. The training"):
        start(folder, made)
    assert status(folder) == "failed"
    assert not list(folder.glob("*model*"))
    monkeypatch.undo()
    (folder / ".model.writing").mkdir()
    go_on(folder, tiny(every=2))
    assert everything(folder) == everything(straight)


def test_lines_that_were_lost_are_said(run, capsys):
    with (run / "metrics.jsonl").open("r+") as file:
        data = file.read()
        file.truncate(len(data) - 20)
    go_on(run, tiny(steps=6, every=2))
    assert "metrics.jsonl lacks lines that were in it" in capsys.readouterr().err
    assert [line["step"] for line in lines(run, "metrics")] == [1, 2, 3, 5, 6]


def test_what_else_lies_among_the_checkpoints_is_left_alone(run, straight):
    (run / "checkpoints" / "step-notes.txt").write_text("mine")
    (run / "checkpoints" / "step-old").mkdir()
    (run / "checkpoints" / ".step-000003.writing").mkdir()
    go_on(run, tiny(steps=6, every=2))
    names = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert names == ["step-000004", "step-000006", "step-notes.txt", "step-old"]


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ("[]", "is damaged (its manifest is not one)"),
        ('{"files": {}}', "is damaged (its manifest is not one)"),
        ('{"files": {}, "processes": 1}', "is damaged (its manifest does not name own-0.pt, shared.pt)"),
    ],
)
def test_manifests_that_name_nothing(run, straight, capsys, manifest, why):
    (run / "checkpoints" / "step-000004" / "manifest.json").write_text(manifest)
    (run / "run.json").write_text((run / "run.json").read_text().replace('"done"', '"failed"'))
    go_on(run, tiny(every=2))
    assert f"checkpoint step-000004 {why}; going back to the one before" in capsys.readouterr().err
    assert everything(run) == everything(straight)


def test_a_checkpoint_without_a_key(tmp_path):
    checkpoint.save(tmp_path, {"shared": {"steps_done": 1, "updates_done": 0}, "own": {}})
    path = checkpoint.save(tmp_path, {"shared": {"steps_done": 2, "updates_done": 0}, "own": {}})
    torch.save({"steps_done": 2}, path / "shared.pt")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["shared.pt"] = checkpoint._digest(path / "shared.pt")
    (path / "manifest.json").write_text(json.dumps(manifest))
    _, found, passed = checkpoint.load(tmp_path)
    assert found.name == "step-000001"
    assert passed == ["checkpoint step-000002 is no checkpoint (it lacks updates_done); going back to the one before"]


def test_a_checkpoint_that_does_not_fit(run):
    before = everything(run)
    made = tiny(steps=6)
    shared = made.trainer.state_dict()["shared"]
    made.trainer.load_state_dict = lambda state: shared["nothing"]
    with pytest.raises(UserError, match="does not fit what the run is built of now"):
        go_on(run, made)
    assert everything(run) == before


def test_checkpoints_are_ordered_by_number(tmp_path):
    for name in ("step-999999", "step-1000000", "step-999999.000", "step-999999.012", "step-1", "step-000001.txt"):
        (tmp_path / name).mkdir()
    assert [path.name for path in checkpoint.there(tmp_path)] == [
        "step-999999",
        "step-999999.000",
        "step-999999.012",
        "step-1000000",
    ]


def test_a_page_that_a_kill_left_out_is_written(run):
    drive(tiny(every=2), run, quiet=True)
    assert (run / "report.html").exists() and status(run) == "done"


def test_a_kill_before_old_checkpoints_were_dropped_leaves_none_of_them(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_prune", lambda folder, newest, keep: None)  # as if it was killed each time
        start(tmp_path / "run")
    names = [path.name for path in checkpoint.there(tmp_path / "run" / "checkpoints")]
    assert names == ["step-000000", "step-000002", "step-000004"]
    go_on(tmp_path / "run")  # it is done, and saves no more
    assert [p.name for p in checkpoint.there(tmp_path / "run" / "checkpoints")] == ["step-000002", "step-000004"]
