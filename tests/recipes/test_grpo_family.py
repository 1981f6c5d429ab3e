"""What is read off a run, by hand; and that all methods are given the same."""

import shlex

import pytest

from rlft.options.arguments import parse
from rlft.recipes.grpo_family import CLAIM, METHODS, over_steps
from rlft.recipes.train import train


def test_over_steps():
    metrics = [{"entropy": float(n), "clipped": share} for n, share in enumerate([0.1] * 10 + [0.3] * 10)]
    assert over_steps(metrics, []) == pytest.approx({"late": 18.5, "held": 0.2})
    assert over_steps([], []) == {"late": 0, "held": 0}
    assert over_steps([{}], []) == {"late": 0, "held": 0}  # of a method that measures neither


def test_eleven_methods_are_given_the_same():
    assert len(METHODS) == 11
    assert {method.minibatches for _, method in METHODS.values()} == {4}
    assert {method.epochs for _, method in METHODS.values()} == {1}
    assert not any(method.reference for _, method in METHODS.values())  # no KL
    assert len({method.name for _, method in METHODS.values()}) == 11
    trained = {name: arm for name, arm in CLAIM.arms.items() if arm.arguments.get("steps") != 0}
    assert len(trained) == 22
    assert {name for arm in trained.values() for name in arm.arguments} == {"task", "method"}


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    given = parse(train, words[2:], "rlft train")
    assert words[:2] == ["rlft", "train"]
    assert given["method"].name == "gspo" and given["method"].minibatches == 4
