"""Commands of claims at full size that act in somebody's own world: as they stand, in a small one."""

import json

import pytest
import torch

from rlft import recipes
from rlft.environments import minari
from rlft.environments.gym import Gymnasium
from rlft.environments.play import play
from rlft.policies.control.flow import Flow
from rlft.recipes import co_rft, lift_humanoid, pa_rl, repo, world_gymnast, wsrl
from rlft.tool.again import arguments_of
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

BEFORE = {"pa_rl": pa_rl.CLAIM.real, "wsrl": wsrl.CLAIM.real}
ENV = "Pendulum-v1"
FEW = {"--env": ENV, "--steps": 1, "--interval": 8, "--width": 8, "--batch": 8}
MORE = {**FEW, "--pretraining": 1, "--problems": 1, "--warmup": 5}


@pytest.fixture
def data(tmp_path):
    """Three episodes of twelve steps of uniform actions."""
    pytest.importorskip("minari", reason="Minari data sets need minari: pip install 'rlft[minari]'")
    world, keys = Gymnasium(ENV, horizon=12), torch.arange(3)
    drawn = torch.Generator().manual_seed(0)
    played = play(
        world, keys, keys, lambda seen, rows, t: 4 * torch.rand(len(seen), 1, 1, generator=drawn).double() - 2
    )
    minari.write(played.episodes(), tmp_path / "data", world.action)
    return tmp_path / "data"


def numbers(folder):
    """What the run has logged, a line a step."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def built(words):
    """The run of the words behind `rlft run`."""
    recipe, rest = recipes.of_a_method(words[0], [*map(str, words[1:])])
    return recipe, recipes.named(recipe)(**arguments_of(recipe, rest, "rlft run"))


@pytest.mark.parametrize("key", BEFORE)
def test_data_and_then_a_world(key, data, tmp_path):
    """Updates on the data alone, then on what the policy itself meets."""
    words = exchanged(BEFORE[key], MORE | {"--data": data}, ("--pretraining", "--problems", "--warmup"))
    assert words[0] == "run" and tool(*words, "--out", tmp_path / "run") == 0
    log = numbers(tmp_path / "run")
    assert "decisions/drawn" not in log[0] and log[-1]["decisions/drawn"] == 8
    assert all(line["updates"] > 0 for line in (log[0], log[-1]))


def test_data_alone(data, tmp_path):
    """Imitation first, then chunks of it by their value; no world is ever played."""
    words = exchanged(co_rft.CLAIM.real, FEW | {"--data": data, "--imitation": 1})
    assert words[:2] == ["run", "co_rft"] and tool(*words, "--out", tmp_path / "run") == 0
    log = numbers(tmp_path / "run")
    assert len(log) == 2 and all("decisions/drawn" not in line and "gap" in line for line in log)
    recipe, run = built(words[1:])
    assert recipe == "off_policy" and run.trainer.policy.chunk == 8 and run.trainer.method.name == "co_rft"


def test_the_class_of_policy_is_the_one_that_was_asked_for():
    words = exchanged(BEFORE["pa_rl"], {"--env": ENV, "--pretraining": 0, "--width": 8})
    at = words.index("--data")
    policy = built([*words[1:at], *words[at + 2 :]])[1].trainer.policy
    assert isinstance(policy, Flow) and policy.chunk == 4


def test_in_a_model_of_somebodys_world(data, tmp_path):
    """Learned from its data; what is held out is played in the world itself."""
    small = {"--env": ENV, "--data": data, "--imagined": 2, "--fits": 2, "--horizon": 6, "--steps": 1}
    words = exchanged(world_gymnast.CLAIM.real, small | {"--prompts": 2, "--group": 4})
    assert words[:2] == ["run", "dapo"] and tool(*words, "--width", 8, "--problems", 1, "--out", tmp_path / "run") == 0
    assert [line["rows/drawn"] >= 8 and line["ratio/first"] < 1e-6 for line in numbers(tmp_path / "run")] == [True]


def test_pre_training_and_then_one_world_with_a_model_beside_it(tmp_path):
    small = {"--env": ENV, "--rounds": 4, "--worlds": 2, "--size": 8, "--utd": 1, "--steps": 1, "--interval": 8}
    small |= {"--warmup": 4, "--updates": 1, "--width": 8, "--method.refit": 4, "--method.fits": 1}
    small |= {"--method.starts": 2, "--method.horizon": 2}
    words = exchanged(lift_humanoid.CLAIM.real, small)
    assert words[:2] == ["run", "lift_humanoid"]
    assert tool(*words, "--problems", 1, "--out", tmp_path / "run") == 0
    log = numbers(tmp_path / "run")
    assert [line["decisions/drawn"] for line in log] == [8] and log[0]["model/rms"] > 0
    assert built(words[1:])[1].trainer.method.settings["gamma"] == 0.982


def test_latents_that_predict_rewards(tmp_path):
    small = {**FEW, "--problems": 1, "--interval": 66, "--batch": 2, "--warmup": 60, "--updates": 0.5, "--horizon": 33}
    words = exchanged(repo.CLAIM.real, small, ("--warmup", "--updates", "--horizon"))
    assert words[:2] == ["run", "repo"] and tool(*words, "--out", tmp_path / "run") == 0
    log = numbers(tmp_path / "run")
    assert [line["decisions/drawn"] for line in log] == [66] and log[0]["updates"] > 0
