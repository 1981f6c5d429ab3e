"""Worlds of Gymnasium without a recipe file: every method on both kinds of actions, or a sentence."""

import pytest
import torch

from rlft import methods, recipes
from rlft.environments.gym import Gymnasium
from rlft.environments.minari import write
from rlft.environments.play import play
from rlft.environments.protocol import Episode
from rlft.offpolicy.learner import Phase
from rlft.offpolicy.method import OffPolicy
from rlft.policies.control.heads import Categorical, StateTanhGaussian, TanhGaussian
from rlft.recipes.off_policy import phases
from rlft.tool.again import arguments_of
from rlft.types import UserError
from rlft.worldmodels.environment import Imagined
from tests.tool.test_main import tool

PENDULUM, CARTPOLE = "Pendulum-v1", "CartPole-v1"
SMALL = ["--horizon", "8", "--width", "8", "--steps", "1"]
BUFFERED = ["--interval", "16", "--batch", "8", "--warmup", "4", "--anything", "4", "--problems", "2", "--updates", "1"]


def built(name, *words):
    recipe, rest = recipes.of_a_method(name, words)
    return recipes.named(recipe)(**arguments_of(recipe, rest, "rlft run"))


@pytest.mark.parametrize("env", [PENDULUM, CARTPOLE])
@pytest.mark.parametrize("name", methods.names(OffPolicy))
def test_methods_that_learn_from_a_buffer(name, env):
    own = ["--method.updates", "2"] if name == "rlpd" else []  # of the critics for one of the policy
    if name in ("td3_bc", "co_rft", "lift") and env == CARTPOLE:
        with pytest.raises(
            UserError, match=f"{name} moves an action along its critic's slope, and CartPole-v1 has a li"
        ):
            built(name, "--env", env, *SMALL, *BUFFERED)
        return
    if name in ("repo", "dreamer", "repo_align"):  # their windows are long ones
        own = ["--method.steps", "4"]
    if own and name != "rlpd" and env == CARTPOLE:
        with pytest.raises(UserError, match="CartPole-v1 has a list of actions, and the gradient of what is imagined"):
            built(name, "--env", env, *SMALL, *BUFFERED)
        return
    run = built(name, "--env", env, *SMALL, *BUFFERED, *own)
    assert run.trainer.method.name == name and run.trainer.buffer.capacity == 16
    assert isinstance(run.trainer.policy.head, StateTanhGaussian if env == PENDULUM else Categorical)
    metrics = run.trainer.step()
    assert metrics["decisions/drawn"] == 16 and metrics["loss"] == metrics["loss"]
    assert run.trainer.updated == 16 - 4 + 1
    episode = run.deploy.sample([run.held_out.at(0)], 1, 0).outputs[0]
    assert len(episode) == 8 or episode.terminated


@pytest.mark.parametrize("name", ["ppo", "reinforce", "grpo"])
def test_methods_that_learn_from_episodes(name):
    for env, head in ((PENDULUM, TanhGaussian), (CARTPOLE, Categorical)):
        run = built(name, "--env", env, *SMALL, "--prompts", "2", "--group", "2")
        assert isinstance(run.trainer.policy.head, head)
        metrics = run.trainer.step()
        assert metrics["rows/drawn"] == 4 and metrics["ratio/first"] < 1e-6


@pytest.mark.parametrize("name", ["ppo", "dapo"])
def test_the_same_run_in_a_model_of_the_world(name, tmp_path, capsys):
    """By one argument; held-out starts are played in the world itself."""
    pytest.importorskip("minari", reason="Minari data sets need minari: pip install 'rlft[minari]'")
    world = Gymnasium(PENDULUM, 8)
    keys = torch.arange(4)
    episodes = play(world, keys, keys, lambda seen, rows, t: torch.zeros(len(rows), 1, 1).double()).episodes()
    write(episodes, tmp_path / "data", world.action)
    words = ["--env", PENDULUM, *SMALL, "--prompts", "2", "--group", "2", "--data", str(tmp_path / "data")]
    run = built(name, *words, "--imagined", "2", "--fits", "2")
    assert "the model of Pendulum-v1 is off by " in capsys.readouterr().err
    place = run.trainer.policy.environment
    assert isinstance(place, Imagined) and len(place.starts) == 4
    assert isinstance(run.deploy.environment, Gymnasium) and run.deploy.actor is run.trainer.policy.actor
    metrics = run.trainer.step()
    assert metrics["rows/drawn"] >= 4 and metrics["ratio/first"] < 1e-6
    assert torch.equal(run.trainer.policy.actor.weights[0], run.deploy.actor.weights[0])
    for wrong, message in (
        (words, "give --imagined 5, or leave out --data"),
        ([*words[:-2], "--imagined", "2"], "from episodes: give --data"),
        ([*words, "--imagined", "2", "--fits", "0"], "--fits at least 1"),
    ):
        with pytest.raises(UserError, match=message):
            built(name, *wrong)


def test_which_recipe_a_name_means():
    assert recipes.of_a_method("sac", ["--env", "X"]) == ("off_policy", ["--method", "sac", "--env", "X"])
    assert recipes.of_a_method("ppo", ["--env=X"]) == ("on_policy", ["--method", "ppo", "--env=X"])
    assert recipes.of_a_method("pa_rl", ["--steps", "1"]) == ("pa_rl", ["--steps", "1"])  # its own recipe
    assert recipes.of_a_method("pa_rl", ["--env", "X"])[0] == "off_policy"
    assert recipes.of_a_method("sac", ["--method", "iql"]) == ("off_policy", ["--method", "iql"])
    assert recipes.of_a_method("digits", []) == ("digits", []) and recipes.of_a_method("x.py", []) == ("x.py", [])


def test_data_before_worlds_beside_them_or_alone():
    sac = methods.named("sac")()
    rlpd = methods.named("rlpd")()
    only = {"worlds": 0, "offline": 1.0}
    assert phases(sac, "d", pretraining=3)[0] == Phase(sac, steps=3, **only)
    assert [phase.offline for phase in (*phases(sac, "d"), *phases(sac), *phases(sac, "d", offline=0.2))] == [
        *(0.5, 0.0, 0.2)
    ]
    assert phases(sac, "d", worlds=0) == [Phase(sac, **only)]
    first, second, third = phases(sac, "d", pretraining=3, imitation=2)
    assert (first.steps, first.worlds, first.offline, second.steps, third.worlds) == (2, 0, 1.0, 3, 1)
    assert first.method.descents[0] == sac.descents[0] and first.method.descents[1].loss != sac.descents[1].loss
    assert [phase.steps for phase in phases(sac, "d", worlds=0, imitation=2)] == [2, None]
    assert (phases(rlpd)[0].utd, phases(sac)[0].utd, phases(rlpd, updates=3.0)[0].utd) == (20.0, 1.0, 3.0)
    for told in ({"pretraining": 1}, {"imitation": 1}, {"offline": 0.5}, {"worlds": 0}):
        with pytest.raises(UserError, match="give --data"):
            phases(sac, **told)


def test_episodes_of_others(tmp_path):
    world = Gymnasium(PENDULUM, 8)
    draw = torch.Generator().manual_seed(0)
    seen = [torch.randn(9, 3, generator=draw, dtype=torch.float64).clamp(-1, 1) for _ in range(2)]
    actions = torch.zeros(8, 1, dtype=torch.float64)
    data = [Episode(s, actions, torch.ones(8, dtype=torch.float64), terminated=False, truncated=True) for s in seen]
    write(data, tmp_path / "data", world.action)
    told = [*SMALL, *BUFFERED, "--data", str(tmp_path / "data")]
    run = built("cal_ql", "--env", PENDULUM, *told, "--pretraining", "2")
    assert run.steps == 3 and len(run.trainer.offline) == 16
    log = list(run.trainer.run(3))
    assert [line.get("decisions/drawn", 0) for line in log] == [0, 0, 16] and log[0]["updates"] == 32
    alone = built("td3_bc", "--env", PENDULUM, *told, "--worlds", "0")
    alone.trainer.step()
    assert alone.trainer.buffer.added == 0 and alone.trainer.updated == 16


def test_what_cannot_be(capsys, tmp_path):
    assert tool("run", "sac", "--out", tmp_path / "run") == 2
    assert "say which world of Gymnasium: --env Pendulum-v1" in capsys.readouterr().err
    assert tool("run", "sac", "--env", "Nowhere-v0", "--out", tmp_path / "run") == 2
    assert "gymnasium cannot make 'Nowhere-v0'" in capsys.readouterr().err
    assert tool("run", "sac", "--env", PENDULUM, "--horizon", 0, "--out", tmp_path / "run") == 2


def test_a_run_of_a_method_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("rlft.report.write", lambda folder, out=None: None)
    words = ["run", "sac", "--env", PENDULUM, *SMALL, *BUFFERED, "--out", tmp_path / "run"]
    assert tool(*words) == 0
    assert tool("train", "--resume", tmp_path / "run", "--steps", 2) == 0
    assert tool("sample", "--model", tmp_path / "run", "--problems", 1) == 0
