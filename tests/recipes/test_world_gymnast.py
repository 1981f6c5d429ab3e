"""What is read off a run, by hand, and that every arm that learns has as many updates."""

import pytest

from rlft.recipes.world_gymnast import CLAIM, HALF, STEPS, in_the_end


def test_in_the_end():
    evaluations = [
        {"inside": 0.2, "success": 0.2, "paid": 0.25, "false": 0.1},
        {"inside": 0.7, "success": 0.6, "paid": 0.75, "false": 0.2},
        {"inside": 0.95, "success": 0.65, "paid": 0.97, "false": 0.4},
    ]
    expected = {"gap": 0.3, "gap/grown": 0.2, "overpaid": 0.02, "false/grown": 0.3}
    assert in_the_end([], evaluations) == pytest.approx(expected)
    assert in_the_end([], evaluations[:1])["gap"] == 0


def test_arms_have_as_many_updates():
    for name, arm in CLAIM.arms.items():
        steps = arm.arguments.get("steps", STEPS) + arm.arguments.get("before", 0)
        assert steps == (0 if name == "sft" else STEPS), name
    assert 2 * HALF == STEPS
