"""Commands of claims at full size that run a recipe on somebody's own data, model or plan: as they stand, on small
ones."""

import json

import pytest
from PIL import Image

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.recipes import dictionary_translation, uav_vl_r1
from tests.policies.perception.families import qwen_vl
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

STAGE = """
[[stage]]
name = "{name}"
data = "{place}/{name}.jsonl"
method = "{method}"
reward = ["exact"]
steps = 1
prompts = 2
group = {group}
"""


def numbers(folder):
    """What the run has logged, a line a step."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_files_of_two_languages_and_a_checkpoint(tmp_path):
    lines = {"FILE": ["la casa", "el perro", "la luna", "el sol", "una casa", "un perro"]}
    lines["TARGET"] = [" ".join(reversed(line.split())) for line in lines["FILE"]]
    lines["FILE.tsv"] = ["casa\tasac", "perro\torrep"]
    for name, text in lines.items():
        (tmp_path / name).write_text("\n".join(text) + "\n")
    letters = character_tokenizer("abcdefghijklmnopqrstuvwxyz <>/|\n_")
    Language(small_llama(len(letters), width=16, layers=1, heads=2, context=512), letters).save(tmp_path / "model")
    values = {"--source": tmp_path / "FILE", "--target": tmp_path / "TARGET", "--dictionary": tmp_path / "FILE.tsv"}
    values |= {"--model": tmp_path / "model", "--imitation": 1, "--steps": 1, "--prompts": 2, "--group": 2}
    words = exchanged(dictionary_translation.CLAIM.real, values, ("--imitation", "--steps", "--prompts", "--group"))
    assert words[:2] == ["run", "dictionary_translation"] and tool(*words, "--out", tmp_path / "run") == 0
    (line,) = numbers(tmp_path / "run")
    assert line["step"] == 1


def test_stages_of_a_model_that_sees(tmp_path):
    """SFT, and GRPO on three kinds of tasks one after the other, as the claim's arm has them."""
    Language(*qwen_vl("2.5")).save(tmp_path / "model")
    Image.new("RGB", (28, 40), (90, 90, 90)).save(tmp_path / "picture.png")
    row = {"prompt": "dark?", "answer": "yes", "demonstration": "yes", "image": "picture.png"}
    stages = [("sft", "sft", 1), *((name, "grpo", 3) for name in ("attribute", "object", "spatial"))]
    for name in (*(name for name, *_ in stages), "TEST"):
        (tmp_path / f"{name}.jsonl").write_text((json.dumps(row) + "\n") * 2)
    plan = "".join(STAGE.format(name=n, method=m, group=g, place=tmp_path) for n, m, g in stages)
    (tmp_path / "plan.toml").write_text(plan)
    values = {"--plan": tmp_path / "plan.toml", "--model": tmp_path / "model", "--eval-data": tmp_path / "TEST.jsonl"}
    values |= {"--lora": 2, "--max-new-tokens": 3}
    words = exchanged(uav_vl_r1.CLAIM.real, values, ("--max-new-tokens",))
    assert words[:2] == ["run", "stages"] and tool(*words, "--out", tmp_path / "run") == 0
    assert [line["stage"] for line in numbers(tmp_path / "run")] == [1, 2, 3, 4]
