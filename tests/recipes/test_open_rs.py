"""What is read off a run, by hand; and that every arm spends alike."""

import pytest

from rlft.recipes.open_rs import CLAIM, over_steps


def test_over_steps():
    evaluations = [{"reward": reward} for reward in (0.2, 0.5, 0.4, 0.8, 0.75)]
    metrics = [{"measure/truncated": share} for share in (0.5, 0.25)]
    found = over_steps(metrics, evaluations)
    assert found == pytest.approx({"half": 0.4, "fall": 0.05, "wanders": 0.1, "cut": 0.375})
    assert over_steps([], evaluations[:1]) == {"half": 0.2, "fall": 0, "wanders": 0, "cut": 0}


def test_arms_differ_in_what_they_ask_and_pay_alone():
    assert {name for arm in CLAIM.arms.values() for name in arm.arguments} == {"steps", "levels", "paid", "lr"}
