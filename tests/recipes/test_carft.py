"""What is read off a run, by hand; that every arm spends alike; and the command at full size."""

import shlex

import pytest

from rlft.options.arguments import parse
from rlft.options.calls import parse_call
from rlft.recipes.carft import CLAIM, over_steps
from rlft.recipes.train import train


def test_over_steps():
    evaluations = [{"reward": reward} for reward in (0.5, 0.6, 0.4, 0.8, 0.48)]
    metrics = [{"contrast/similar": cosine} for cosine in (0.25, 0.5, 0.75)]
    found = over_steps(metrics, evaluations)
    assert found == pytest.approx({"half": 0.4, "fall": 0.32, "collapsed": 1, "similar": 0.25, "nearer": 0.5})
    assert over_steps([{}], evaluations[:1]) == {"half": 0.5, "fall": 0, "collapsed": 0}
    assert over_steps([], [{"reward": 0.5}, {"reward": 0.495}])["collapsed"] == 0


def test_arms_draw_alike():
    for name, arm in CLAIM.arms.items():
        asked = {"prompts": 16, "group": 8, **arm.arguments}
        assert name == "base" or asked["prompts"] * asked["group"] == 128
        assert set(arm.arguments) <= {"steps", "method", "prompts", "group", "lr"}


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert given["method"].name == "carft" and given["fields"].demonstration_field == "solution"
    names = [parse_call(text).name for text in given["rewards"].reward]
    paid = dict(zip(names, given["rewards"].reward_weights, strict=True))
    assert paid["format"] == given["method"].settings["formed"] and paid["math"] + paid["format"] == 1
    assert 0.9 < given["method"].settings["solved"] < 1  # sums of halves of a reward are rounded
