"""Every recipe, the list read from the folder: documented options, one step and one evaluation at seconds' size.

A recipe that learns from a buffer has steps of the world instead of prompts and groups, and a contract of its own.
"""

import inspect

import pytest

from rlft import recipes
from rlft.offpolicy.learner import Learner
from rlft.runs.drive import Run
from rlft.training.evaluate import evaluate

# What makes a recipe small enough for a test; a base that has hardly been trained will do.
SMOKE = {
    "arithmetic": {"imitation": 40, "prompts": 32, "group": 16},
    "tensorbleu": {"imitation": 2},
    "digits": {"denoising_steps": 3},
    "point_mass": {},
    "eft": {"imitation": 2, "tuning": 1, "problems": 8},
    "rlg": {"imitation": 2, "tuning": 1, "problems": 1},
    "loop": {"pretraining": 20, "problems": 8},
    "lite_ppo": {"imitation": 25},
    "dr_po": {"imitation": 100, "length": 2, "prompts": 32, "group": 16},
    "deepvideo_r1": {"imitation": 25},
    "polychromic": {"setting": "rooms", "imitation": 60, "prompts": 16, "group": 8},
    "prdp": {"pretraining": 20, "problems": 8},
    "kl_bayes": {"imitation": 10, "every": 0},
    "svdd": {"setting": "strings", "iterations": 20, "width": 2},
    "dictionary_translation": {"drills": 2, "imitation": 30},
    "cory": {"imitation": 2, "problems": 4, "samples": 4, "prior": 512},
    "relift": {"imitation": 250, "problems": 8, "prompts": 32},
    "supo": {"pages": "few", "imitation": 40, "prompts": 32, "group": 16},
}
BUFFERED: dict[str, dict[str, object]] = {
    "wsrl": {"pretraining": 4, "steps": 3, "interval": 30, "updates": 1.0, "warmup": 40, "episodes": 3, "batch": 8},
    "pa_rl": {"data": 4, "offline": 8, "online": 32, "batch": 8, "width": 8, "problems": 4},
}


def test_every_recipe_is_here():
    """`train` is the user's own run and has tests of its own in tests/tool."""
    assert set(recipes.names()) == {*SMOKE, *BUFFERED, "train"}


@pytest.mark.parametrize("name", recipes.names())
def test_every_option_is_documented(name):
    function = recipes.named(name)
    options = set(inspect.signature(function).parameters) - {"method", "runtime"}
    assert options
    for option in options:
        assert f"        {option}: " in function.__doc__, f"{name} does not document {option}"


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOKE)
def test_a_step_and_an_evaluation(name, tmp_path, monkeypatch):
    if name != "digits":  # its base takes twenty seconds, and is shared with the tests of images
        monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    run = recipes.named(name)(**{"steps": 1, "prompts": 4, "group": 4, **SMOKE[name]})
    assert isinstance(run, Run)
    before = [p.detach().clone() for p in run.trainer.policy.parameters()]
    metrics = run.trainer.step()
    assert metrics["ratio/first"] <= 5e-5
    assert metrics["rows/unscored"] == 0
    assert metrics["reward_std"] > 0
    assert any(bool((a != b).any()) for a, b in zip(before, run.trainer.policy.parameters(), strict=True))
    evaluated(run)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUFFERED)
def test_steps_of_a_world_and_an_evaluation(name, tmp_path, monkeypatch):
    """To the end of a short run: the policy and its critics have moved, what was spent is counted."""
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    run = recipes.named(name)(**BUFFERED[name])
    assert isinstance(run, Run) and isinstance(run.trainer, Learner)
    before = [p.detach().clone() for p in (*run.trainer.policy.parameters(), *run.trainer.agent.q.parameters())]
    log = list(run.trainer.run(run.steps))
    assert [metrics["step"] for metrics in log] == list(range(1, run.steps + 1))
    assert sum(metrics["updates"] for metrics in log) >= run.trainer.updated > 0
    assert sum(metrics.get("decisions/drawn", 0) for metrics in log) == run.trainer.buffer.added > 0
    assert all(metrics["loss"] == metrics["loss"] for metrics in log if metrics["updates"])
    after = (*run.trainer.policy.parameters(), *run.trainer.agent.q.parameters())
    assert all(bool((a != b).any()) for a, b in zip(before, after, strict=True))
    evaluated(run)


def evaluated(run):
    found = evaluate(
        run.deploy or run.trainer.policy,
        run.held_out,
        run.reward or run.trainer.reward,
        problems=4,
        measures=run.measures,
    )
    assert found.measures
    assert found.mean == found.mean
