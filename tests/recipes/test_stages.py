"""A file of stages, from the tool: what each stage leaves, and a run that is stopped inside one and goes on."""

import json

import pytest
import torch

from rlft.models.soup import average
from rlft.policies.language.policy import Language
from rlft.policies.language.tokens.sampling import Sampling
from rlft.recipes.stages import stages
from rlft.runs.folder import Stopped
from rlft.runs.staged import Staged
from rlft.types import UserError
from tests.tool.letters import model_and_rows
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

PLAN = """
[[stage]]
name = "sft"
data = "{place}/data.jsonl"
method = "sft"
steps = 2
prompts = 4
lr = 0.01

[[stage]]
name = "own"
kind = "regenerate"
data = "{place}/data.jsonl"
reward = ["{place}/reward.py:some"]
samples = 4
keep = "{place}/reward.py:short"

[[stage]]
name = "again"
parent = "base"
data = "own"
method = "sft"
steps = 1
prompts = 4

[[stage]]
name = "rl"
data = "{place}/data.jsonl"
reward = ["{place}/reward.py:some"]
method = {{name = "grpo", beta = 0.1}}
steps = 2
prompts = 4
group = 4

[[stage]]
name = "mean"
kind = "merge"
shares = {{sft = 1, rl = 3}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, no_pages):
    """A model, data, a reward and a filter, a plan, and a finished run of it."""
    folder = tmp_path_factory.mktemp("place")
    model_and_rows(folder)
    (folder / "reward.py").write_text(
        "def some(problems, outputs):\n    return [float('a' in o) for o in outputs]\n\n\n"
        "def short(problem, output):\n    return len(output) < 4\n"
    )
    (folder / "plan.toml").write_text(PLAN.format(place=folder))
    assert tool(*words(folder), "--out", folder / "run") == 0
    return folder


def words(folder):
    options = ["--plan", folder / "plan.toml", "--model", folder / "model", "--max-new-tokens", 5, "--lora", 2]
    return ["run", "stages", *options, "--eval-data", folder / "data.jsonl"]


def records(folder):
    return {p.parent.name: json.loads(p.read_text()) for p in folder.glob("stages/*/stage.json")}


def weights(folder):
    return {n: w for n, w in Language.load(folder / "model").state_dict().items() if "lora" in n}


def test_each_stage_leaves_its_record_its_model_and_what_it_wrote(place):
    told = records(place / "run")
    assert {name: r["parents"] for name, r in told.items()} == {
        "sft": {"base": told["again"]["parents"]["base"]},
        "own": {"sft": told["sft"]["hash"]},
        "again": {"base": told["sft"]["parents"]["base"]},
        "rl": {"again": told["again"]["hash"]},
        "mean": {"sft": told["sft"]["hash"], "rl": told["rl"]["hash"]},
    }
    assert told["rl"]["rows/drawn"] == 32 and told["sft"]["rows/demonstrated"] == 8 and told["own"]["rows/drawn"] == 32
    rows = [json.loads(line) for line in (place / "run/stages/own/data.jsonl").read_text().splitlines()]
    assert len(rows) == told["own"]["rows/kept"] > 0
    assert all("a" in row["demonstration"] and len(row["demonstration"]) < 4 for row in rows)
    sft, rl, mean = (weights(place / "run" / "stages" / name) for name in ("sft", "rl", "mean"))
    merged = average([(sft, 0.25), (rl, 0.75)])
    assert all(torch.equal(merged[name], mean[name]) for name in mean)
    assert all(torch.equal(weights(place / "run")[name], mean[name]) for name in mean)
    facts = json.loads((place / "run" / "run.json").read_text())
    assert [name.rpartition("/")[2] for name in facts["code"]] == ["reward.py"]  # named in the plan alone


def test_what_a_stage_wrote_and_its_model_are_for_other_commands(place):
    stage = place / "run" / "stages"
    options = ["--model", stage / "sft" / "model", "--data", stage / "own" / "data.jsonl", "--max-new-tokens", 5]
    assert tool("train", *options, "--method", "sft", "--reward", "exact", "--steps", 1, "--out", place / "more") == 0


def test_stopped_inside_a_stage_it_goes_on(place, monkeypatch):
    step = Staged.advance

    def failing(trainer):
        if trainer.steps_done == 4 and trainer.trainer is not None and trainer.trainer.pending is not None:
            raise Stopped("here")
        return step(trainer)

    monkeypatch.setattr(Staged, "advance", failing)
    assert tool(*words(place), "--out", place / "stopped") == 3
    monkeypatch.undo()
    assert tool("train", "--resume", place / "stopped") == 0
    assert records(place / "stopped") == records(place / "run")
    assert all(torch.equal(w, weights(place / "run")[n]) for n, w in weights(place / "stopped").items())


def test_a_base_without_demonstrations_or_a_score_is_refused_at_once(place):
    (place / "bare.jsonl").write_text(json.dumps({"prompt": "say a"}) + "\n")
    (place / "bare.toml").write_text(f'[[stage]]\ndata = "{place}/bare.jsonl"\nmethod = "sft"\n')
    with pytest.raises(UserError, match="'stage-1' imitates demonstrations, and bare has none"):
        stages(place / "bare.toml", str(place / "model"), sampling=Sampling(max_new_tokens=5))
