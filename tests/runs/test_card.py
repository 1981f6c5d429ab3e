"""Model cards as hubs read them: the header, what was trained on what, numbers where they exist, no path."""

import json

import pytest
import yaml

from rlft.runs.card import base_of, card, evaluations, write_cards

LEARNED = {"method": {"name": "grpo"}, "steps": 20, "prompts": 4, "group": 8, "lr": 1e-5}
AFTER = {"step": 20, "name": "held-out", "when": "after", "reward": 0.72159, "interval": [0.68, 0.76], "pass@1": 0.5}
AFTER |= {"problems": 64, "samples": 2, "measure": None, "seconds": 3.0}


def facts(**arguments):
    told = {"model": "owner/small-1B", "data": "/home/me/sums.jsonl", "reward": ["math", "/home/me/r.py:many(x=1)"]}
    made = {"versions": {"rlft": "0.1.0", "torch": "2.11"}, "directory": "/home/me", "recipe": "train"}
    return {**made, "method": "grpo", "arguments": {**told, **LEARNED, **arguments}}


def parts(text):
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), body


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return tmp_path / "model"


def test_a_whole_model(model):
    header, body = parts(card(model, facts(system='say: "no"', chat=True), {"after": AFTER, "before": {"reward": 0.3}}))
    assert header == {
        "library_name": "transformers",
        "base_model": "owner/small-1B",
        "base_model_relation": "finetune",
        "pipeline_tag": "text-generation",
        "tags": ["rlft", "reinforcement-learning", "grpo"],
    }
    assert "# owner/small-1B, trained by grpo\n" in body
    assert (
        "All weights of owner/small-1B, trained by reinforcement learning with `grpo` on `sums.jsonl` with the reward "
    )
    assert (
        "with the reward `math`, `r.py:many(x=1)`: 20 steps, 4 problems a step, 8 rollouts of each, 1e-05 lea" in body
    )
    assert "| reward | 0.3 | 0.7216 |" in body and "| pass@1 | – | 0.5 |" in body
    assert "64 problems, 2 rollouts of each; 95 % interval of the reward 0.68 to 0.76" in body
    assert 'chat = `true`, system = `"say: \\"no\\""`' in body and "/home" not in body
    assert "Made with rlft 0.1.0, torch 2.11." in body


def test_an_adapter_names_its_base(model):
    (model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "owner/base"}))
    header, body = parts(card(model, facts(lora=16, data="owner/sums"), {}))
    assert header["base_model"] == "owner/base" and header["base_model_relation"] == "adapter"
    assert header["library_name"] == "peft" and header["tags"][-1] == "lora" and header["datasets"] == ["owner/sums"]
    assert "LoRA adapters of rank 16 of owner/base" in body and "on `owner/sums`" in body
    assert "AutoPeftModelForCausalLM" in body and "held-out" not in body


def test_a_merged_adapter_is_a_whole_model(model):
    header, body = parts(card(model, facts(lora=16), {}))
    assert header["library_name"] == "transformers" and header["tags"][-1] == "lora"
    assert "LoRA adapters of rank 16 of owner/small-1B, added into their base" in body


def test_a_base_in_a_folder_is_named_and_not_linked(model, tmp_path):
    (tmp_path / "base").mkdir()
    header, body = parts(card(model, facts(model=str(tmp_path / "base")), {}))
    assert "base_model" not in header and "# base, trained by grpo" in body
    kept = "/home/me/.cache/huggingface/hub/models--owner--small/snapshots/0f"
    assert base_of(model, facts(model=kept)) == ("owner/small", "owner/small")


def test_a_run_that_went_on_with_another_has_its_base(model, tmp_path):
    first = tmp_path / "runs" / "first"
    first.mkdir(parents=True)
    (first / "run.json").write_text(json.dumps(facts()))
    assert base_of(model, facts(model="runs/first") | {"directory": str(tmp_path)})[1] == "owner/small-1B"


def test_a_network_of_ones_own(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"")
    header, body = parts(
        card(tmp_path, {"recipe": "/home/me/digits.py", "method": "loop", "arguments": {"steps": 3}}, {})
    )
    assert header == {"library_name": "rlft", "tags": ["rlft", "reinforcement-learning", "loop"]}
    assert "All weights, trained by reinforcement learning with `loop` by the recipe `digits.py`: 3 steps." in body
    assert 'rlft.load("RUN")' in body and "/home" not in body


def test_beside_each_of_two(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(facts()))
    (tmp_path / "evaluations.jsonl").write_text("\n".join(map(json.dumps, ({"when": "before", "reward": 0.1}, AFTER))))
    for name in ("one", "two"):
        (tmp_path / "model" / name).mkdir(parents=True)
        (tmp_path / "model" / name / "config.json").write_text("{}")
    assert evaluations(tmp_path)["before"]["reward"] == 0.1
    write_cards(tmp_path / "model", tmp_path)
    assert [path.parent.name for path in sorted((tmp_path / "model").rglob("README.md"))] == ["one", "two"]
    assert "| reward | 0.1 | 0.7216 |" in (tmp_path / "model" / "one" / "README.md").read_text()
