"""What is read off a run, by hand; that every arm spends alike; and the command at full size."""

import shlex

import pytest

from rlft.options.arguments import parse
from rlft.options.reward import load_reward
from rlft.recipes.alphamed import CLAIM, ROWS, STEPS, at_first
from rlft.recipes.train import train
from rlft.types import Problem


def test_at_first():
    metrics = [{"loss": 0.0}] + [{"groups/flat": share} for share in (1.0, 0.5, 0.5, 0.25, 0.25, 0.0)]
    last = [{"hard/vignette": 0.1, "hard/bare": 0.1}, {"hard/vignette": 0.5, "hard/bare": 0.25}]
    assert at_first(metrics, last) == {"flat": pytest.approx(0.5), "transfer": 0.25}
    assert at_first([], last[:1]) == {"transfer": 0.1}


def test_arms_have_as_many_questions_and_rows():
    for name, arm in CLAIM.arms.items():
        told = arm.arguments
        assert told.get("prompts", 16) * told.get("group", 8) == ROWS and "problems" not in told, name
        assert told.get("steps", STEPS) == (0 if name == "base" else STEPS)
    assert CLAIM.arms["sft_grpo"].arguments["method"].settings["size"] == ROWS


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert [f"level=L{n}" for n in range(1, 7)] == list(given["fields"].where)
    assert (given["fields"].each, given["evaluated"].eval_by) == (200, "level")
    reward = load_reward(given["rewards"].reward[0])
    assert reward([Problem(0, "?", "E")] * 2, ["so \\boxed{E}", "D"]).tolist() == [1.0, 0.0]
