"""What is read off a run, by hand; what every arm spends; and the commands at full size, run small in turn."""

import json
import shlex

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.options.arguments import parse
from rlft.policies.language.policy import Language
from rlft.recipes.dr_irl import CLAIM, on_the_way
from rlft.recipes.train import train
from tests.models.small_readers import small_encoder
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool

LETTERS = "abcdefghsy .?"


def test_on_the_way():
    evaluations = [{"tail": 0.1 * n, "safety": 0.2 * n, "useful": 1 - 0.1 * n} for n in range(5)]
    metrics = [{"reward": float(n), "compared/ahead": 0.1 * n} for n in range(8)]
    found = on_the_way(metrics, evaluations)
    expected = {"late/tail": 0.3, "late/safety": 0.6, "late/useful": 0.7, "ahead/late": 0.65, "paid/late": 6.5}
    assert found == pytest.approx(expected)
    assert "ahead/late" not in on_the_way([{"reward": 1.0}], evaluations)


def test_what_draws_draws_as_often_and_imitation_sees_as_many_rows():
    for name, arm in CLAIM.arms.items():
        told = arm.arguments
        assert told.get("steps", 30) == (0 if name == "base" else 30)
        assert told.get("prompts", 21) * told.get("group", 8) == 168


def test_the_command_can_be_read():
    words = shlex.split(CLAIM.real)
    given = parse(train, words[2:], "rlft train")
    assert words[:2] == ["rlft", "train"] and given["method"].name == "grpo_s"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A chat model of one layer, demonstrations of two categories, an encoder of texts."""
    folder = tmp_path_factory.mktemp("inverse")
    tokenizer = character_tokenizer(LETTERS)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}?"
    model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24)
    Language(model, tokenizer).save(folder / "model")
    kinds = ("fraud", "privacy")
    rows = [{"prompt": f"say {c}", "completion": f"{c}. d", "category": kinds[n % 2]} for n, c in enumerate("abcdefgh")]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    small_encoder(LETTERS).save(folder / "sentences")
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_what_is_drawn_fits_scorers_and_these_pay(place, tmp_path):
    """`rlft eval`, `rlft fit-reward` for each category, and the claim's words with files and sizes of ours."""
    data, drawn = place / "data.jsonl", tmp_path / "drawn.jsonl"
    asked = [
        "--model",
        place / "model",
        "--data",
        data,
        "--chat",
        "--max-new-tokens",
        4,
        "--reward",
        "length(unit='characters', target=3)",
    ]
    assert tool("eval", *asked, "--samples", 3, "--out", drawn) == 0
    command = CLAIM.real
    for kind in ("fraud", "privacy"):
        told = ["--model", place / "model", "--data", data, "--drawn", drawn, "--where", f"category={kind}"]
        assert tool("fit-reward", *told, "--held-out", 0, "--device", "cpu", "--out", tmp_path / kind) == 0
        command = command.replace(kind.upper(), str(tmp_path / kind))
    values = {"--model": place / "model", "--data": data, "--steps": 1, "--prompts": 2, "--max-new-tokens": 4}
    values |= {"--sentences": place / "sentences", "--lr": 1e-2, "--group": 4}
    assert tool(*exchanged(command, values), "--out", tmp_path / "run") == 0
    (line,) = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert 0 <= line["compared/hardness"] <= 1 and line["updates"] == 1
    assert any(name.startswith("reward/fraud") for name in line) or any(
        name.startswith("reward/privacy") for name in line
    )
