"""What is read off a run, by hand; and the command at full size."""

import math
import shlex

import pytest

from rlft.options.arguments import parse
from rlft.recipes.memory_r import CLAIM, over_steps
from rlft.recipes.train import train


def test_over_steps():
    evaluations = [{"step": step, "reward": reward} for step, reward in ((0, 0.05), (5, 0.1), (10, 0.2), (15, 0.02))]
    metrics = [{"memory/apart": 0.5, "groups/flat": 0.25}, {"memory/apart": None, "groups/flat": 0.75}]
    found = over_steps(metrics, evaluations)
    expected = {"area": 0.0925, "rows": 1.28, "fall": 0.18, "collapsed": 1, "apart": 0.5, "flat": 0.5}
    assert found == pytest.approx(expected)
    none = over_steps([], evaluations[:2])
    assert none["rows"] == pytest.approx(0.64) and none["collapsed"] == 0 and math.isnan(none["apart"])


def test_arms_differ_in_what_they_pay():
    methods = {name: arm.arguments["method"].settings for name, arm in CLAIM.arms.items() if name != "base"}
    both = methods["both"]
    assert (both["solved"], both["order"], both["given"], both["explore"]) == (2.0, "read_first", "own", 1.0)
    assert methods["both_fast"] == both and methods["grpo_fast"] == methods["grpo"]
    changed = {"right": {"explore": 0.0}, "published": {"order": "write_first"}, "chance": {"given": "chance"}}
    for name, told in changed.items():
        assert methods[name] == {**both, **told}


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    given = parse(train, words[2:], "rlft train")
    assert words[:2] == ["rlft", "train"] and given["method"].name == "memory_r" and given["second"].sentences
    assert len(given["rewards"].reward) == given["method"].settings["solved"]
