"""What is read off a run, by hand; that every arm spends alike; and the command at full size."""

import shlex

import pytest

from rlft.options.arguments import parse
from rlft.options.reward import load_reward
from rlft.recipes.kg_reward import CLAIM, STEPS, on_the_way
from rlft.recipes.train import train
from rlft.types import Problem


def test_on_the_way():
    metrics = [{"measure/spelled": share} for share in (0.0, 0.2, 0.5, 0.5, 0.5, 0.5, 0.4, 0.6)]
    evaluations = [
        {"far": far, "reward": reward, "reordered": again}
        for far, reward, again in ((0.3, 0.4, 0.4), (0.5, 0.6, 0.6), (0.7, 0.8, 0.75))
    ]
    assert on_the_way(metrics, evaluations) == pytest.approx(
        {"half": 0.5, "moved": 0.05, "spelled/late": 0.5, "spelled/grown": 0.4}
    )
    assert on_the_way([], evaluations)["spelled/grown"] == 0


def test_arms_draw_as_many_rows():
    for name, arm in CLAIM.arms.items():
        told = arm.arguments
        assert told.get("prompts", 16) * told.get("group", 8) == 128, name
        assert told.get("steps", STEPS) == (0 if name == "base" else STEPS)


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    outcome, path = map(load_reward, given["rewards"].reward)
    problem = Problem(0, "?", "B", {"path": "aspirin inhibits cox"})
    assert outcome([problem] * 2, ["so </think> B", "C"]).tolist() == pytest.approx([0.1, -1.0])
    assert path([problem], ["aspirin inhibits cox </think> B"])["path"].tolist() == pytest.approx([1.5])
