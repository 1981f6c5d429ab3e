"""Every recipe, the list read from the folder: documented options, one step and one evaluation at seconds' size.

A recipe that learns from a buffer has steps of the world instead of prompts and groups, and a contract of its own.
"""

import dataclasses
import inspect
import math
import typing
from dataclasses import replace

import pytest
import torch

from rlft import recipes
from rlft.errors import UserError
from rlft.offpolicy.learner import Learner
from rlft.offpolicy.method import OffPolicy
from rlft.options import config
from rlft.options.arguments import parse, plain
from rlft.runs.drive import Run
from rlft.runs.staged import Staged
from rlft.training.evaluate import evaluate
from tests.jails import marked

# `train`, `pictures` and `stages` are the user's own runs and have tests of their own in tests/tool and tests/options.
NAMES = [name for name in recipes.names() if name not in ("train", "pictures", "stages")]
BUFFERED = [n for n in NAMES if isinstance(inspect.signature(recipes.named(n)).parameters["method"].default, OffPolicy)]
STEPPING = [name for name in NAMES if name not in BUFFERED]


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_says_how_small_it_can_be(name):
    assert set(recipes.smallest(name)) <= set(inspect.signature(recipes.named(name)).parameters)


def test_one_that_does_not_is_told(monkeypatch):
    monkeypatch.delattr(recipes.module("point_mass"), "SMOKE")
    with pytest.raises(UserError, match="recipe 'point_mass' does not say how small it can be"):
        recipes.smallest("point_mass")


@pytest.mark.parametrize("name", recipes.names())
def test_every_option_is_documented(name):
    """Its own in the function, those of a group of options in the group's class."""
    function = recipes.named(name)
    hints = typing.get_type_hints(function)
    options = set(inspect.signature(function).parameters) - {"method", "runtime"}
    assert options
    for option in options:
        group = hints[option] if dataclasses.is_dataclass(hints[option]) else None
        named = [option] if group is None else [field.name for field in dataclasses.fields(group)]
        page = inspect.cleandoc((group or function).__doc__)
        assert all(f"    {word}: " in page for word in named), f"{name} does not document {option}"


# What cannot be left unsaid.
SAID = {name: ["--model", "m", "--data", "d"] for name in ("train", "pictures")}
SAID |= {"stages": ["--model", "m", "--plan", "p.toml"]}


@pytest.mark.parametrize("name", recipes.names())
def test_its_arguments_as_a_file_are_its_arguments(name, tmp_path):
    function, file = recipes.named(name), tmp_path / "config.toml"
    arguments = parse(function, [*SAID.get(name, []), "--seed", "7"], name)
    file.write_text(config.text(name, function, arguments, {}))
    again = parse(function, config.configured(["--config", str(file)], function, config.FOLDER_KEYS), name)
    assert plain(again) == plain(arguments) and again["seed"] == 7


@pytest.mark.slow
@pytest.mark.parametrize("name", marked(STEPPING))
def test_a_step_and_an_evaluation(name):
    """From bases that are built once and shared with the claims' smoke runs, and may know too little to be paid: so
    the update is that of a reward which is tossed, where the recipe's own has scored every row."""
    run = recipes.named(name)(**{"steps": 1, "prompts": 4, "group": 4, **recipes.smallest(name)})
    assert isinstance(run, Run)
    if isinstance(run.trainer, Staged):
        run.trainer.stages = [replace(stage, reward=tossed(stage.reward)) for stage in run.trainer.stages]
    elif not run.trainer.method.pathwise:  # which learns from what cannot be tossed
        run.trainer.reward = tossed(run.trainer.reward)
    before = [p.detach().clone() for p in run.trainer.policy.parameters()]
    metrics = run.trainer.step()
    if run.trainer.method.name != "sft":  # which draws nothing and asks no reward
        assert metrics["redrawn/first" if run.trainer.method.pathwise else "ratio/first"] <= 5e-5
        assert metrics["rows/unscored"] == 0
    assert any(bool((a != b).any()) for a, b in zip(before, run.trainer.policy.parameters(), strict=True))
    evaluated(run)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUFFERED)
def test_steps_of_a_world_and_an_evaluation(name):
    """To the end of a short run: the policy and its critics have moved, what was spent is counted."""
    run = recipes.named(name)(**recipes.smallest(name))
    assert isinstance(run, Run) and isinstance(run.trainer, Learner)
    # a method whose policy has its own critics has none beside it: weights of no numbers
    both = [p for p in (*run.trainer.policy.parameters(), *run.trainer.agent.q.parameters()) if p.numel()]
    before = [p.detach().clone() for p in both]
    log = list(run.trainer.run(run.steps))
    assert [metrics["step"] for metrics in log] == list(range(1, run.steps + 1))
    assert sum(metrics["updates"] for metrics in log) >= run.trainer.updated > 0
    assert sum(metrics.get("decisions/drawn", 0) for metrics in log) == run.trainer.buffer.added
    assert (run.trainer.buffer.added > 0) == any(phase.worlds for phase in run.trainer.phases)
    assert all(metrics["loss"] == metrics["loss"] for metrics in log if metrics["updates"])
    assert all(bool((a != b).any()) for a, b in zip(before, both, strict=True))
    evaluated(run)


def tossed(reward):
    """0 or 1 for each row, and NaN where no part of this reward gives a number."""

    def scores(problems, outputs):
        own = reward(problems, outputs)
        parts = own.values() if isinstance(own, dict) else [own]
        nan = [all(torch.as_tensor(part[i]).isnan().any() for part in parts) for i in range(len(outputs))]
        return [math.nan if wrong else float(i % 2) for i, wrong in enumerate(nan)]

    return scores


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
