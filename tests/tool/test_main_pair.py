"""Two checkpoints of one's own, trained with CORY from the command line."""

import html
import json

import pytest
import torch
from safetensors.torch import load_file

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.runs.folder import model_folder
from tests.tool.test_main import tool
from tests.tool.test_run import last_weights, same

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two models of different sizes, data and a reward."""
    folder = tmp_path_factory.mktemp("pair")
    for name, width in (("small", 16), ("large", 32)):
        tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyz \n")
        model = small_llama(len(tokenizer), width=width, layers=1, heads=2, context=64)
        Language(model, tokenizer).save(folder / name)
    rows = [{"prompt": f"say {c}"} for c in "abcdefgh"]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "reward.py").write_text(
        "def many_a(problems, outputs):\n    return [text.count('a') / 6 for text in outputs]\n"
    )
    return folder


def options(place, out, *more):
    words = ["--model", place / "small", "--data", place / "data.jsonl", "--reward", f"{place}/reward.py:many_a"]
    words += ["--eval-data", place / "data.jsonl", "--max-new-tokens", 6, "--prompts", 4, "--group", 8, "--lr", 1e-2]
    return ["train", *words, "--out", place / out, *more]


CORY = ("--method", "cory", "--method.every", 2, "--method.beta", 0.01)


@pytest.fixture(scope="module")
def run(place):
    assert tool(*options(place, "run", "--observer", place / "large", "--steps", 12, *CORY)) == 0
    return place / "run"


def test_both_learn_and_the_first_is_evaluated(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for role in ("pioneer", "observer"):
        assert lines[-1][f"reward/{role}"] > lines[0][f"reward/{role}"] + 0.3
    assert lines[-1]["reward"] == pytest.approx(lines[-1]["reward/pioneer"] + lines[-1]["reward/observer"], abs=1e-6)
    before, after = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert before["reward"] + 0.3 < after["reward"] <= 1  # of one answer, not of two
    row = json.loads((run / "samples.jsonl").read_text().splitlines()[-1])["rows"][0]
    assert row["kind"] == "conversation"
    assert [(message["role"], message["own"]) for message in row["messages"]] == [("pioneer", True), ("observer", True)]
    page = (run / "report.html").read_text()
    assert all(html.escape(message["text"]) in page for message in row["messages"])


def test_each_is_a_model_of_its_own(run, place):
    sizes = {name: Language.load(run / "model" / name).causal.config.hidden_size for name in ("one", "two")}
    assert sizes == {"one": 16, "two": 32}
    for name, start in (("one", "small"), ("two", "large")):
        trained, untrained = (load_file(f / "model.safetensors") for f in (run / "model" / name, place / start))
        assert not torch.equal(*(state["model.embed_tokens.weight"] for state in (trained, untrained)))
    for model in (run, run / "model" / "two"):
        assert tool("sample", "--model", model, "--prompt", "say a", "--max-new-tokens", 4) == 0
    assert model_folder(str(run)) == str(run / "model" / "one")


def test_two_copies_stopped_and_resumed(place):
    """Without --observer; from a checkpoint inside, bit for bit."""
    assert tool(*options(place, "straight", "--steps", 5, "--save-every", 3, *CORY)) == 0
    assert tool(*options(place, "cut", "--steps", 5, "--save-every", 3, *CORY)) == 0
    last = max((place / "cut" / "checkpoints").glob("step-*"), key=lambda path: path.stat().st_mtime)
    next(path for path in last.iterdir() if path.suffix == ".pt").write_bytes(b"")
    facts = json.loads((place / "cut" / "run.json").read_text())
    (place / "cut" / "run.json").write_text(json.dumps({**facts, "status": "stopped"}))
    assert tool("train", "--resume", place / "cut") == 0
    assert same(last_weights(place / "cut"), last_weights(place / "straight"))


def test_what_cannot_be_is_said(place, capsys):
    assert tool(*options(place, "no", "--observer", place / "large", "--method", "ppo")) == 2
    assert "trains one model" in capsys.readouterr().err
    assert tool(*options(place, "no", "--shard", *CORY)) == 2
    assert "--shard is for one model" in capsys.readouterr().err
    # the question twice, a break and two answers of 20 tokens do not fit in 64; the question and one answer do
    words = ("--data", place / "longer.jsonl", "--max-new-tokens", 20, *CORY)
    (place / "longer.jsonl").write_text(json.dumps({"prompt": "say something"}) + "\n")
    assert tool(*options(place, "no", *words)) == 2
    assert "its prompt of 28 tokens and 40 new ones do not fit" in capsys.readouterr().err
    assert not (place / "no").exists()
