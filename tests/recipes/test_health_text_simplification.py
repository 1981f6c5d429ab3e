"""What is read off a run, and the command at full size."""

import shlex

import pytest

from rlft.options.arguments import parse
from rlft.options.reward import load_reward
from rlft.recipes.health_text_simplification import CLAIM, on_the_way
from rlft.recipes.train import train
from rlft.types import Problem


def test_on_the_way():
    metrics = [{"measure/facts": share} for share in (1.0, 0.8, 0.7, 0.7, 0.7, 0.7, 0.5, 0.3)]
    assert on_the_way(metrics, []) == pytest.approx({"facts/lost": 0.5})
    assert on_the_way([], []) == {"facts/lost": 0.0}


def test_arms_take_as_many_rows():
    for name, arm in CLAIM.arms.items():
        assert arm.arguments.get("prompts", 64) * arm.arguments.get("group", 2) == 128, name


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    judged, recalled = given["rewards"].reward
    assert judged.startswith("classifier(")
    assert load_reward(recalled)([Problem(0, "?", None, {"facts": ["40 mg"]})], ["take 40 mg"]).tolist() == [1]
