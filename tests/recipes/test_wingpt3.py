"""What is read off a run, by hand, and that every arm that learns spends alike."""

import pytest

from rlft.recipes.wingpt3 import CLAIM, STEPS, in_the_end


def test_in_the_end():
    metrics = [
        {"reward/evidence": paid, "measure/sound": sound}
        for paid, sound in (
            (0.2, 0.2),
            (0.4, 0.2),
            (0.5, 0.3),
            (0.6, 0.3),
            (0.7, 0.1),
            (0.8, 0.2),
            (0.9, 0.1),
            (0.9, 0.0),
        )
    ]
    evaluations = [
        {"general": 0.9, "right": 0.4, "merged": 0.4, "merged/general": 0.9},
        {"general": 0.7, "right": 0.6, "merged": 0.55, "merged/general": 0.85},
    ]
    told = {"lost": 0.2, "regained": 0.15, "merged/gap": -0.05}
    assert in_the_end(metrics, evaluations) == pytest.approx({**told, "overrated": 0.85, "overrated/grown": 0.75})
    assert in_the_end([{"reward": 0.1}], evaluations) == pytest.approx(told)


def test_arms_see_as_many_examinations():
    for name, arm in CLAIM.arms.items():
        told = arm.arguments
        assert told.get("prompts", 32) * told.get("group", 8) == 256, name
        assert told.get("steps", STEPS) == (0 if name in ("s1", "s2") else STEPS)
