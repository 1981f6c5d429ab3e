"""A run's own `config.toml`, given back, is the run: number for number and weight for weight."""

import json
from pathlib import Path

import pytest

from tests.runs.tiny import lines
from tests.tool.letters import model_and_rows
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]
RECIPE = Path(__file__).parent / "little.py"


def test_a_language_model_again(tmp_path, capsys):
    model_and_rows(tmp_path)
    (tmp_path / "reward.py").write_text("def many(problems, outputs):\n    return [o.count('a') for o in outputs]\n")
    words = ["--model", tmp_path / "model", "--data", tmp_path / "data.jsonl", "--reward", f"{tmp_path}/reward.py:many"]
    words += ["--max-new-tokens", 4, "--prompts", 2, "--group", 3, "--lr", 1e-2, "--steps", 2, "--no-kl", "--seed", 5]
    words += ["--eval-data", tmp_path / "data.jsonl", "--eval-problems", "None", "--method", "dapo", "--stop", "g"]
    assert tool("train", *words, "--save-every", 1, "--out", tmp_path / "first") == 0
    file = tmp_path / "first" / "config.toml"
    assert tool("train", "--config", file, "--out", tmp_path / "second") == 0
    for log in ("metrics", "samples", "evaluations"):
        assert lines(tmp_path / "first", log) == lines(tmp_path / "second", log)
    first, second = (tmp_path / name / "model" / "model.safetensors" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    facts = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("first", "second")]
    assert facts[0]["arguments"] == facts[1]["arguments"] and facts[0]["cadence"] == facts[1]["cadence"]
    assert facts[0]["arguments"]["stop"] == ["g"]
    assert tool("train", "--config", file, "--steps", 1, "--out", tmp_path / "third") == 0
    assert lines(tmp_path / "third", "metrics") == lines(tmp_path / "first", "metrics")[:1]
    asked = tmp_path / "eval.toml"
    asked.write_text(f"data = '{tmp_path}/data.jsonl'\nreward = ['exact']\nsamples = 2\nmax-new-tokens = 4\n")
    capsys.readouterr()
    assert tool("eval", "--model", tmp_path / "model", "--config", asked, "--json") == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 2
    asked.write_text("sample = 2\n")
    assert tool("eval", "--model", tmp_path / "model", "--config", asked) == 2
    assert "'sample', which is no option here; did you mean samples" in " ".join(capsys.readouterr().err.split())


def test_a_recipe_of_ones_own_again(tmp_path, capsys):
    assert tool("run", RECIPE, "--method.epochs", 1, "--steps", 3, "--out", tmp_path / "first") == 0
    assert tool("run", "--config", tmp_path / "first" / "config.toml", "--out", tmp_path / "second") == 0
    assert lines(tmp_path / "first", "metrics") == lines(tmp_path / "second", "metrics")
    assert (tmp_path / "second" / "run.json").read_text().count('"epochs": 1') == 1
    assert tool("run", RECIPE, "--resume", tmp_path / "second", "--steps", 4) == 0
    assert "\nsteps = 4\n" in (tmp_path / "second" / "config.toml").read_text()
    assert tool("run", RECIPE, "--resume", tmp_path / "second", "--config", tmp_path / "first" / "config.toml") == 2
    assert "remove --config" in capsys.readouterr().err
