"""`rlft train --method memory_r`: with a sentence model, stopped and gone on with bit for bit, and what has no use."""

import json
import shutil

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from tests.runs.tiny import lines
from tests.tool.letters import model_and_rows
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]


def words(place, method="memory_r"):
    told = ["--model", place / "model", "--data", place / "data.jsonl", "--reward", "exact", "--method", method]
    told += ["--sentences", place / "sentences", "--max-new-tokens", 4, "--prompts", 4, "--group", 2, "--lr", 3e-2]
    return [*told, "--steps", 4, "--save-every", 2]


def test_with_a_sentence_model(tmp_path, capsys):
    model_and_rows(tmp_path)
    tokenizer = character_tokenizer("abcdefghsay ")
    encoder = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24, seed=1)
    encoder.model.save_pretrained(tmp_path / "sentences")
    tokenizer.save_pretrained(tmp_path / "sentences")
    told = [*words(tmp_path), "--method.warmup", 1]
    assert tool("train", *told, "--out", tmp_path / "run") == 0
    steps = lines(tmp_path / "run", "metrics")
    assert steps[0]["memory/explore"] == 0 < steps[1]["memory/explore"] <= 1
    assert steps[-1]["memory/wrong"] == 8

    again = shutil.copytree(tmp_path / "run", tmp_path / "again")
    shutil.rmtree(again / "checkpoints" / "step-000004")
    (again / "run.json").write_text(json.dumps({**json.loads((again / "run.json").read_text()), "status": "stopped"}))
    assert tool("train", "--resume", again) == 0
    assert lines(again, "metrics") == steps
    weights = [(run / "model" / "model.safetensors").read_bytes() for run in (again, tmp_path / "run")]
    assert weights[0] == weights[1]

    assert tool("train", *words(tmp_path, "grpo"), "--out", tmp_path / "other") == 2
    assert "method grpo has no use for --sentences" in " ".join(capsys.readouterr().err.split())
