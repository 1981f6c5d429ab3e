"""What the commands do to run folders and files: go on for longer, say no before they work, lose no row."""

import json
import os
import shutil

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.training.trainer import Trainer
from tests.tool.test_commands import tool
from tests.tool.test_errors import reward_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, data, a reward and a finished run of two steps of an adapter."""
    folder = tmp_path_factory.mktemp("place")
    tokenizer = character_tokenizer("abcdefghsay ")
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24), tokenizer).save(folder / "model")
    rows = [{"prompt": f"say {c}", "answer": c} for c in "abcdefgh"]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
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


@pytest.mark.skipif(os.getuid() == 0, reason="root writes anywhere")
def test_a_read_only_run(place, tmp_path, capsys):
    folder = shutil.copytree(place / "run", tmp_path / "run")
    folder.chmod(0o500)
    assert tool("report", folder) == 2
    assert "say with --out where it goes" in said(capsys)
    assert tool("report", folder, "--out", tmp_path / "page.html") == 0
