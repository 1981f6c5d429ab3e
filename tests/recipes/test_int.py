"""What is read off a run, by hand; that every arm spends alike; and the command at full size."""

import builtins
import math
import shlex

import pytest

from rlft.methods.grpo import grpo
from rlft.options.arguments import parse
from rlft.recipes import recipe
from rlft.recipes.int import CLAIM, STEPS, TAUGHT, over_stages
from rlft.recipes.train import train
from rlft.worlds.corrected import corrected


def test_over_stages():
    taught = [
        {"loss/demonstrations": loss, "groups/flat": 1.0, "interventions/read": 9, "interventions/kept": kept}
        for loss, kept in ((0.5, 3), (0.25, 4))
    ]
    drawn = [{"groups/flat": share} for share in (1.0, 0.5, *[0.0] * 8, 1.0, 1.0)]
    assert over_stages(taught + drawn, []) == pytest.approx({"nll": 0.5, "flat": 0.15, "read": 3.5})
    found = over_stages([{"loss/demonstrations": 2.0}], [])
    assert found["nll"] == 2 and math.isnan(found["flat"]) and math.isnan(found["read"])


def test_arms_take_as_many_steps():
    steps = {name: arm.arguments.get("steps", STEPS) for name, arm in CLAIM.arms.items()}
    assert set(steps.values()) == {0, TAUGHT, STEPS} and steps["int"] == steps["sft"] == TAUGHT
    assert {name for arm in CLAIM.arms.values() for name in arm.arguments} == {"steps", "method", "corrector"}
    for arm in CLAIM.arms.values():
        method = arm.arguments.get("method")
        assert method is None or method.name == "grpo" or method.settings["taught"] == TAUGHT


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert given["method"].name == "int_grpo" and given["method"].settings["tried"] == 32
    assert given["fields"].demonstration_field == "solution" and given["rewards"].reward


def test_a_number_is_a_number_beside_a_recipe_of_that_name():
    """Whatever recipe is made after it: its seed is a whole number."""
    assert recipe(corrected, grpo(), steps=1).__annotations__["seed"] is builtins.int
