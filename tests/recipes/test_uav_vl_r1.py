"""The stages of the recipe: equal totals for every arm, each stage with its own kinds of tasks."""

import pytest

from rlft.methods.grpo import grpo
from rlft.recipes.uav_vl_r1 import CLAIM, planned
from rlft.rewards.text import label
from rlft.tasks.aerial import GROUPS, KINDS, Aerial
from rlft.worlds import World
from rlft.worlds.surveyed import Shown

MADE = World(None, Shown(Aerial(each=120), 0.3), Aerial(split="test", each=1), label())
NUMBERS = {
    "prompts": 16,
    "group": 8,
    "lr": 1e-3,
    "rows": None,
    "method": grpo(),
    "order": "staged",
    "taught": 0.25,
    "sft_lr": 2e-3,
}


def stages(steps=160, **told):
    return planned(MADE, {**NUMBERS, **told, "steps": steps})


@pytest.mark.parametrize("arm", [name for name in CLAIM.arms if name not in ("base", "start")])
def test_every_arm_has_as_many_updates_of_as_many_problems(arm):
    made = stages(**CLAIM.arms[arm].arguments)
    assert sum(stage.steps for stage in made) == 160
    assert {stage.numbers["prompts"] for stage in made} == {16}
    assert [stage.parent for stage in made] == ["base", *(stage.name for stage in made[:-1])]


def test_the_stages():
    shares = {name: len(kinds) * 15 for name, kinds in GROUPS.items()}  # 15 steps for each kind
    assert {stage.name: stage.steps for stage in stages()} == {"sft": 40, **shares}
    assert [s.name for s in stages(order="reversed")] == ["sft", "spatial", "object", "attribute"]
    assert [(s.name, s.steps) for s in stages(order="mixed", taught=0.0)] == [("mixed", 160)]
    assert [(s.name, s.method.name, s.steps) for s in stages(order="none", taught=1.0)] == [("sft", "sft", 160)]
    assert [(s.name, s.steps) for s in stages(order="none")] == [("sft", 40)]
    assert [s.numbers["lr"] for s in stages()] == [2e-3, 1e-3, 1e-3, 1e-3]
    for stage in stages():
        kinds = GROUPS.get(stage.name, KINDS)
        assert {stage.task.at(i).columns["kind"] for i in range(16)} == set(kinds)
        assert stage.task.size == 120 * len(kinds)
    assert [s.steps for s in stages(steps=4)] == [1, 1, 1, 1] and [s.steps for s in stages(steps=2)] == [1, 1]
    assert [s.steps for s in stages(steps=0)] == [1]
