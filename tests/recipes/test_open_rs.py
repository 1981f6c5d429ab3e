"""What is read off a run, by hand; and that every arm spends alike."""

import inspect
import shlex

import pytest

from rlft import rewards
from rlft.options.arguments import parse
from rlft.options.calls import parse_call
from rlft.recipes.open_rs import CLAIM, over_steps
from rlft.recipes.train import train


def test_over_steps():
    evaluations = [{"reward": reward} for reward in (0.2, 0.5, 0.4, 0.8, 0.75)]
    metrics = [{"measure/truncated": share} for share in (0.5, 0.25)]
    found = over_steps(metrics, evaluations)
    assert found == pytest.approx({"half": 0.4, "fall": 0.05, "wanders": 0.1, "cut": 0.375})
    assert over_steps([], evaluations[:1]) == {"half": 0.2, "fall": 0, "wanders": 0, "cut": 0}


def test_arms_differ_in_what_they_ask_and_pay_alone():
    assert {name for arm in CLAIM.arms.values() for name in arm.arguments} == {"steps", "levels", "paid", "lr"}


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert given["method"].name == "grpo" and given["method"].settings["beta"] == 0
    cosine, form = (parse_call(text) for text in given["rewards"].reward)
    assert form.name == "format" and cosine.name == "cosine" and given["rewards"].reward_weights == (2, 1)
    assert set(cosine.settings) <= set(inspect.signature(rewards.cosine).parameters)
    assert given["sampling"].max_new_tokens == cosine.settings["limit"]
