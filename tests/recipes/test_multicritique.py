"""What is read off a run, by hand, and what every arm spends."""

import pytest

from rlft.recipes.multicritique import CLAIM, on_the_way


def test_on_the_way():
    first, last = {"reward": 0.8, "believed": 1.0}, {"reward": 0.2, "believed": 6.0}
    assert on_the_way([], [first, {"reward": 0.9}, last]) == pytest.approx({"grown": -0.6, "believed/grown": 5.0})
    assert on_the_way([], [{"reward": 0.5}, {"reward": 0.7}]) == pytest.approx({"grown": 0.2})


def test_every_arm_has_as_many_critiques():
    for name, arm in CLAIM.arms.items():
        told = arm.arguments
        assert told.get("prompts", 64) * told.get("group", 2) == 128
        assert told.get("steps", 30) == (0 if name in ("base", "start") else 30)
