"""Which method when: pairs by hand, and what makes two arms comparable."""

import pytest

from rlft.reproduce import methods_compared
from rlft.reproduce.methods_compared import compared
from tests.reproduce.test_page import DOCS


def result(arms, higher=True, tuning=None):
    """What is read of a result: each arm's arguments and its numbers by seed."""
    return {
        "claim": {"metric": "score", "higher": higher},
        "tuning": tuning or {},
        "arms": {
            name: {"arguments": told, "runs": {str(seed): {"score": value} for seed, value in enumerate(numbers)}}
            for name, (told, numbers) in arms.items()
        },
    }


GRPO = {"method": {"method": "grpo", "clip": 0.2}}
TWO = {"plain": ({"lr": 1e-3}, [0.2, 0.3, 0.4]), "other": ({**GRPO, "lr": 2e-3}, [0.5, 0.7, 0.9])}


def test_a_pair_by_hand():
    (pair,) = compared("key", result(TWO), "rloo")
    assert (pair.better, pair.worse, pair.arms, pair.seeds) == ("grpo", "rloo", ("other", "plain"), 3)
    # differences 0.3, 0.4, 0.5: their mean, and an interval that holds it and leaves 0 out
    assert pair.difference == pytest.approx(0.4)
    assert 0 < pair.low < 0.4 < pair.high
    assert pair.settled


def test_less_may_be_better():
    (pair,) = compared("key", result(TWO, higher=False), "rloo")
    assert (pair.better, pair.worse) == ("rloo", "grpo")
    assert pair.difference == pytest.approx(-0.4)
    assert pair.settled


def test_an_interval_with_zero_in_it_is_level():
    arms = {"plain": ({}, [0.2, 0.9, 0.4]), "other": (GRPO, [0.5, 0.2, 0.9])}
    assert not compared("key", result(arms), "rloo")[0].settled


def test_of_several_arms_of_a_method_the_best_stands_for_it():
    (pair,) = compared("key", result({**TWO, "loose": (GRPO, [0.9, 0.9, 0.9])}), "rloo")
    assert pair.arms == ("loose", "plain")


@pytest.mark.parametrize("told", [{"steps": 0}, {"data": "hard"}, {"method": {"method": "rloo"}}])
def test_arms_that_are_not_compared(told):
    """Untrained, on something else, or of the same method."""
    arms = {"plain": ({}, [0.2, 0.3]), "other": ({**GRPO, **told}, [0.5, 0.6])}
    assert compared("key", result(arms), "rloo") == []


@pytest.mark.parametrize("told", [{"prompts": 4, "group": 1}, {"weight": 0.3}])
def test_how_a_budget_is_spent_and_what_was_tuned_may_differ(told):
    arms = {"plain": ({}, [0.2, 0.3]), "other": ({**GRPO, **told}, [0.5, 0.6])}
    tuning = {"other": [{"settings": {"weight": 0.3}}]}
    assert len(compared("key", result(arms, tuning=tuning), "rloo")) == 1


def test_an_arm_with_a_number_missing_is_left_out():
    arms = {"plain": ({}, [0.2, 0.3]), "other": (GRPO, [0.5, None])}
    assert compared("key", result(arms), "rloo") == []


def test_the_page_agrees_with_the_results():
    assert (DOCS / "which_method.md").read_text() == methods_compared.markdown(), "run: make docs"
