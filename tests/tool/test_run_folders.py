"""What the commands do to run folders and files: go on for longer, say no before they work, lose no row."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from rlft.training.trainer import Trainer
from tests.tool.letters import model_and_rows
from tests.tool.test_main import tool
from tests.tool.test_main_errors import reward_file

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]


@pytest.fixture(scope="module")
def place(tmp_path_factory, no_pages):
    """A model, data, a reward and a finished run of two steps of an adapter."""
    folder = tmp_path_factory.mktemp("place")
    model_and_rows(folder)
    (folder / "reward.py").write_text(
        "from helper import letter\n\n\ndef many(problems, outputs):\n    return [o.count(letter()) for o in outputs]\n"
    )
    (folder / "helper.py").write_text("def letter():\n    return 'a'\n")
    assert tool("train", *words(folder), "--lora", 2, "--steps", 2, "--out", folder / "run") == 0
    return folder


def words(place, model="model"):
    told = ["--model", place / model, "--data", place / "data.jsonl", "--reward", f"{place}/reward.py:many"]
    told += ["--max-new-tokens", 4, "--prompts", 2, "--group", 2, "--lr", 1e-2]
    return [*told, "--eval-data", place / "data.jsonl", "--eval-problems", 2]


def lines(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith(("seconds", "decisions_per"))} for line in found]


def said(capsys):
    return " ".join(capsys.readouterr().err.split())


def test_a_finished_run_is_given_more_steps(place, tmp_path):
    folder = shutil.copytree(place / "run", tmp_path / "run")
    assert tool("train", "--resume", folder, "--steps", 4) == 0
    assert tool("train", *words(place), "--lora", 2, "--steps", 4, "--out", tmp_path / "straight") == 0
    assert lines(folder) == lines(tmp_path / "straight")
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (folder / "model" / name).read_bytes() == (tmp_path / "straight" / "model" / name).read_bytes()
    facts = json.loads((folder / "run.json").read_text())
    assert facts["steps"] == facts["arguments"]["steps"] == 4
    assert facts["words"][-2:] == facts["command"][-2:] == ["--steps", "4"]


def test_a_card_stands_beside_the_adapter(place):
    page = (place / "run" / "model" / "README.md").read_text()
    assert page.startswith('---\nlibrary_name: "peft"\n')
    assert "# model, trained by grpo" in page and "LoRA adapters of rank 2 of model" in page
    after = json.loads((place / "run" / "evaluations.jsonl").read_text().splitlines()[-1])
    assert f"| {after['reward']:.4g} |" in page and "on `data.jsonl` with the reward `reward.py:many`" in page


def test_only_the_steps_may_change(place, capsys):
    assert tool("train", "--resume", place / "run", "--lr", 1) == 2
    assert "every setting but --steps" in said(capsys)
    assert tool("train", "--resume", place / "run", "--steps", 1) == 2
    assert "has done 2 steps already; --steps must be at least that, got 1" in said(capsys)


def test_a_checkpoint_of_an_adapter_holds_no_base(place):
    import torch

    newest = sorted((place / "run" / "checkpoints").iterdir())[-1]
    shared = torch.load(newest / "shared.pt", weights_only=True)
    assert shared["policy"] and all("lora_" in name for name in shared["policy"])


def test_a_checkpoint_with_the_base_is_read_too(place):
    from rlft.tool.again import built

    run = built(place / "run")
    state = run.trainer.state_dict()
    state["shared"]["policy"] = run.trainer.policy.state_dict()
    assert isinstance(run.trainer, Trainer)
    run.trainer.load_state_dict(state)


def test_rows_are_written_as_they_are_evaluated(place, tmp_path, capsys):
    """The reward fails in the third batch: the rows of two are there."""
    reward = reward_file(tmp_path, "return [1.0] if problems[0].index < 2 else 1 / 0")
    told = ["--model", place / "model", "--data", place / "data.jsonl", "--max-new-tokens", 2, "--batch", 1]
    assert tool("eval", *told, "--reward", reward, "--out", tmp_path / "rows.jsonl") == 2
    assert f"the 2 rows that were evaluated are in {tmp_path / 'rows.jsonl'}" in said(capsys)
    assert [json.loads(line)["index"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == [0, 1]
    never = reward_file(tmp_path, "return 1 / 0")
    assert tool("eval", *told, "--reward", never, "--out", tmp_path / "none.jsonl") == 2
    assert not (tmp_path / "none.jsonl").exists()


def test_out_is_tried_before_anything_is_evaluated(place, tmp_path, capsys):
    told = ["--model", tmp_path / "no-model", "--data", place / "data.jsonl", "--reward", "exact"]
    assert tool("eval", *told, "--out", tmp_path / "nowhere" / "rows.jsonl") == 2
    assert "rows.jsonl: No such file or directory; choose another --out" in said(capsys)


@pytest.mark.parametrize(
    ("command", "option"),
    [("train", "--eval-problems"), ("train", "--eval-samples"), ("eval", "--problems"), ("eval", "--samples")],
)
def test_counts_of_nothing(place, tmp_path, capsys, command, option):
    told = words(place)[:6] if command == "eval" else [*words(place), "--out", tmp_path / "run"]
    assert tool(command, *told, option, 0) == 2
    assert f"{option} must be at least 1; got 0" in said(capsys)


def test_a_page_that_cannot_be_written(place, monkeypatch, capsys):
    """As in a folder that may be read only."""

    def write(folder, out=None):
        if out is None:
            raise PermissionError(13, "Permission denied", "report.html")
        return out

    monkeypatch.setattr("rlft.report.write", write)
    assert tool("report", place / "run") == 2
    assert "Permission denied: 'report.html'; say with --out where it goes" in said(capsys)
    assert tool("report", place / "run", "--out", "page.html") == 0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--dtype", "float16", "--dtype float16 is for GPUs"),
        ("--device", "nonsense", "--device nonsense is not there"),
        ("--device", "cuda:77", "--device cuda:77 is not there"),
    ],
)
def test_devices_that_are_not_there(place, tmp_path, capsys, option, value, message):
    assert tool("train", *words(place), "--device", "cpu", option, value, "--out", tmp_path / "run") == 2
    assert message in said(capsys)
    assert not (tmp_path / "run").exists()


def test_weights_that_are_not_read(place, tmp_path, capsys):
    """An adapter without its base, without its weights, and pickled weights: no network is asked, nothing unpickled."""
    adapter = shutil.copytree(place / "run" / "model", tmp_path / "adapter")
    told = ["--data", place / "data.jsonl", "--reward", "exact"]
    config = json.loads((adapter / "adapter_config.json").read_text())
    away = {**config, "base_model_name_or_path": str(tmp_path / "gone")}
    (adapter / "adapter_config.json").write_text(json.dumps(away))
    assert tool("eval", "--model", adapter, *told) == 2
    assert f"needs the model it was trained on, {tmp_path / 'gone'}: put it there" in said(capsys)
    (adapter / "adapter_model.safetensors").unlink()
    assert tool("eval", "--model", adapter, *told) == 2
    assert "has no adapter_model.safetensors" in said(capsys)
    (adapter / "adapter_model.bin").write_bytes(b"")
    assert tool("eval", "--model", adapter, *told) == 2
    assert "are pickled, which may run code when they are read" in said(capsys)
    whole = shutil.copytree(place / "model", tmp_path / "whole")
    (whole / "model.safetensors").rename(whole / "pytorch_model.bin")
    assert tool("eval", "--model", whole, *told) == 2
    assert 'convert them: python -c "from transformers import AutoModelForCausalLM as A;' in said(capsys)


def test_what_was_not_foreseen_is_said_to_be_ours(monkeypatch, capsys):
    from rlft.tool import main

    def broken(words):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(main, "_dispatch", broken)
    assert tool("papers") == 1
    found = said(capsys)
    assert "Traceback" in found
    assert found.endswith(
        "rlft: error: ZeroDivisionError: by nothing This was not foreseen and may be a fault of rlft's."
    )


def test_a_reader_that_leaves():
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run([sys.executable, "-m", "rlft", "papers", "--json"], stdout=writes, stderr=subprocess.PIPE)
    os.close(writes)
    assert (done.returncode, done.stderr) == (1, b"")


def test_an_end_of_the_process_in_a_reward(place, tmp_path, capsys):
    exits = reward_file(tmp_path, "import sys; sys.exit(0)")
    told = [*words(place)[:4], "--max-new-tokens", 4, "--prompts", 2, "--group", 2, "--steps", 2]
    assert tool("train", *told, "--reward", exits, "--out", tmp_path / "run") == 1
    assert "the reward called sys.exit(0), which ends no run as done" in said(capsys)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def own(place, tmp_path, monkeypatch):
    """A project with a stopped run, started by relative paths."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("data.jsonl", "reward.py", "helper.py"):
        shutil.copy(place / name, project)
    shutil.copytree(place / "model", project / "model")
    monkeypatch.chdir(project)
    told = ["--model", "model", "--data", "data.jsonl", "--reward", "reward.py:many", "--max-new-tokens", 4]
    assert tool("train", *told, "--prompts", 2, "--group", 2, "--steps", 2, "--out", "runs/first") == 0
    return project


def test_an_edited_helper_of_the_reward_is_noticed(own, capsys):
    (own / "helper.py").write_text("def letter():\n    return 'b'\n")
    assert tool("train", "--resume", "runs/first", "--steps", 3) == 2
    assert "helper.py was edited. Put it back, or go on with --changed-anyway" in said(capsys)
    assert tool("eval", "--model", "runs/first") == 2  # it has no held-out problems
    assert "since this run was started, helper.py was edited" in said(capsys)
    assert tool("train", "--resume", "runs/first", "--steps", 3, "--changed-anyway") == 0
    assert json.loads((own / "runs/first/run.json").read_text())["changed"] == ["helper.py was edited"]
    assert tool("train", "--resume", "runs/first", "--steps", 4) == 0


def test_edited_data_are_noticed(own, capsys):
    (own / "data.jsonl").write_text((own / "data.jsonl").read_text().replace('"say d"', '"say h"'))
    assert tool("train", "--resume", "runs/first", "--steps", 3) == 2
    assert "the data is not what it was, in rows 4 to 4" in said(capsys)
    assert tool("train", "--resume", "runs/first", "--steps", 3, "--changed-anyway") == 0
    assert tool("train", "--resume", "runs/first", "--steps", 4) == 0


def test_a_project_that_has_moved(own, monkeypatch, capsys):
    moved = own.parent / "elsewhere"
    own.rename(moved)
    monkeypatch.chdir(own.parent)
    assert tool("train", "--resume", "elsewhere/runs/first", "--steps", 3) == 0
    assert f"{own} is gone, and its paths are taken from {moved}" in said(capsys)
    (moved / "runs" / "first").rename(own.parent / "alone")
    assert tool("train", "--resume", "alone", "--steps", 4) == 2
    assert "reward.py is gone" in said(capsys)


def test_code_of_others_is_asked_for_once(own, capsys):
    facts = json.loads((own / "runs/first/run.json").read_text())
    assert set(facts["made"]) == {"host", "user"} and set(facts["code"]) == {"reward.py", "helper.py"}
    stranger = {**facts, "made": {"host": "far", "user": "someone"}}
    (own / "runs/first/run.json").write_text(json.dumps(stranger))
    (own / "helper.py").write_text("raise RuntimeError('it was run')\n")
    for command in (("train", "--resume", "runs/first"), ("eval", "--model", "runs/first")):
        assert tool(*command) == 2
        found = said(capsys)
        assert (
            "was made by someone on far and runs code of theirs: look at helper.py, reward.py, then say once" in found
        )
        assert "it was run" not in found
    (own / "helper.py").write_text("def letter():\n    return 'a'\n")
    assert tool("train", "--resume", "runs/first", "--trust-run", "--steps", 3) == 0
    assert tool("train", "--resume", "runs/first", "--steps", 4) == 0
    assert "rlft: " in said(capsys)


def test_a_folder_of_before_is_accepted(own):
    """Its data have a hash of 4,096 rows, and there is nothing on its code."""
    from rlft.runs.folder import fingerprint_of_task
    from rlft.tasks.files import Files

    path = own / "runs/first/run.json"
    facts = json.loads(path.read_text())
    for name in ("code", "made", "folder"):
        del facts[name]
    facts["start"] = {"model": facts["start"]["model"], "data": fingerprint_of_task(Files("data.jsonl"))}
    path.write_text(json.dumps(facts))
    assert tool("train", "--resume", "runs/first", "--steps", 3) == 0
    (own / "data.jsonl").write_text((own / "data.jsonl").read_text().replace('"say d"', '"say h"'))
    assert tool("train", "--resume", "runs/first", "--steps", 4) == 2


def test_an_adapter_is_merged(place, tmp_path, capsys):
    prompt = ("--prompt", "say a", "--device", "cpu")
    assert tool("merge", place / "run", tmp_path / "whole", *prompt) == 0
    found = capsys.readouterr().out
    assert "differ from the adapter's by" in found and "more than rounding" not in found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole"]
    assert not (tmp_path / "whole" / "adapter_config.json").exists()
    assert tool("merge", tmp_path / "whole", tmp_path / "again", *prompt) == 2
    assert "holds no adapter: it is a whole model already" in said(capsys)
    assert tool("merge", place / "run", tmp_path / "whole", *prompt) == 2
    assert "exists already" in said(capsys)
    assert tool("merge", place / "run", tmp_path / "whole" / "config.json" / "in", *prompt) == 2


def test_a_merge_that_changes_the_model_says_so(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rlft.tool.merge._apart", lambda *told: 3.5)
    assert tool("merge", place / "run", tmp_path / "whole", "--device", "cpu") == 0
    assert "differ from the adapter's by 3.5 nats at most" in (found := capsys.readouterr().out)
    assert "that is more than rounding in float32: the merged model is another one" in found
