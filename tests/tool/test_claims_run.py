"""Commands of claims at full size that run a recipe on somebody's own world, data, model or plan: as they stand, on
small ones."""

import json

import pytest
import torch
from PIL import Image

from rlft import recipes
from rlft.environments import minari
from rlft.environments.gym import Gymnasium
from rlft.environments.play import play
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.control.flow import Flow
from rlft.policies.language.policy import Language
from rlft.recipes import co_rft, dictionary_translation, pa_rl, uav_vl_r1, wsrl
from rlft.tool.again import arguments_of
from tests.policies.perception.families import qwen_vl
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

CONTROL = {"pa_rl": pa_rl.CLAIM.real, "wsrl": wsrl.CLAIM.real}
CONTROL_ALONE = co_rft.CLAIM.real
FEW = {"--pretraining": 1, "--steps": 1, "--interval": 8, "--width": 8, "--batch": 8, "--problems": 1, "--warmup": 5}
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


@pytest.mark.parametrize("key", CONTROL)
def test_a_world_of_gymnasium_and_a_data_set_of_minari(key, tmp_path):
    """Updates on the data alone, then on what the policy itself meets."""
    pytest.importorskip("minari", reason="Minari data sets need minari: pip install 'rlft[minari]'")
    world, keys = Gymnasium("Pendulum-v1", horizon=6), torch.arange(3)
    drawn = torch.Generator().manual_seed(0)
    played = play(
        world, keys, keys, lambda seen, rows, t: 4 * torch.rand(len(seen), 1, 1, generator=drawn).double() - 2
    )
    minari.write(played.episodes(), tmp_path / "data", world.action)
    values = FEW | {"--env": "Pendulum-v1", "--data": tmp_path / "data"}
    words = exchanged(CONTROL[key], values, ("--pretraining", "--problems", "--warmup"))
    assert words[0] == "run" and tool(*words, "--out", tmp_path / "run") == 0
    log = numbers(tmp_path / "run")
    assert "decisions/drawn" not in log[0] and log[-1]["decisions/drawn"] == 8
    assert all(line["updates"] > 0 for line in (log[0], log[-1]))


def test_a_data_set_of_minari_alone(tmp_path):
    """Imitation first, then chunks of it by their value; no world is ever played."""
    pytest.importorskip("minari", reason="Minari data sets need minari: pip install 'rlft[minari]'")
    world = Gymnasium("Pendulum-v1", horizon=12)
    drawn = torch.Generator().manual_seed(0)
    played = play(
        world,
        torch.arange(3),
        torch.arange(3),
        lambda seen, rows, t: 4 * torch.rand(len(seen), 1, 1, generator=drawn).double() - 2,
    )
    minari.write(played.episodes(), tmp_path / "data", world.action)
    few = {name: value for name, value in FEW.items() if name not in ("--pretraining", "--problems", "--warmup")}
    values = few | {"--env": "Pendulum-v1", "--data": tmp_path / "data", "--imitation": 1}
    words = exchanged(CONTROL_ALONE, values, ())
    assert words[:2] == ["run", "co_rft"] and tool(*words, "--out", tmp_path / "run") == 0
    log = numbers(tmp_path / "run")
    assert len(log) == 2 and all("decisions/drawn" not in line and "gap" in line for line in log)
    recipe, rest = recipes.of_a_method("co_rft", [*map(str, words[2:])])
    assert recipe == "off_policy"
    run = recipes.named(recipe)(**arguments_of(recipe, rest, "rlft run"))
    assert run.trainer.policy.chunk == 8 and run.trainer.method.name == "co_rft"


def test_the_class_of_policy_is_the_one_that_was_asked_for():
    recipe, rest = recipes.of_a_method("pa_rl", exchanged(CONTROL["pa_rl"], {"--env": "Pendulum-v1"})[2:])
    rest = [word for word in rest if not word.startswith("D4RL") and word != "--data"]
    for name, count in (("--pretraining", "0"), ("--width", "8")):
        rest[rest.index(name) + 1] = count
    policy = recipes.named(recipe)(**arguments_of(recipe, rest, "rlft run")).trainer.policy
    assert isinstance(policy, Flow) and policy.chunk == 4


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
