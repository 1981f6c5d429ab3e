"""What is read off a run, by hand; that every arm spends alike; and the command at full size."""

import math
import re
import shlex

import pytest

from rlft.options.arguments import parse
from rlft.recipes.pretrain_zero import CLAIM, GROUP, GROUPS, STEPS, TEXTS, over_steps
from rlft.recipes.train import train
from rlft.worlds.wiki import Articles


def test_over_steps():
    """Ten steps: five early, five late; where no word was masked there is no share."""
    metrics = [
        {"measure/share/noise": 0.1 * step, "measure/share/known": 0.5, "masks/valid": 1.0, "groups/used": 0.2}
        for step in range(10)
    ]
    metrics[9] = {"masks/valid": 0.5, "groups/used": 0.3}
    found = over_steps(metrics, [{"follows": 0.2}, {"follows": 0.5}])
    assert found["area"] == pytest.approx(0.35)
    assert found["early/noise"] == pytest.approx(0.2) and found["late/noise"] == pytest.approx(0.65)
    assert found["early/known"] == found["late/known"] == 0.5 and math.isnan(found["late/follows"])
    assert found["valid"] == pytest.approx(0.9) and found["used"] == pytest.approx(0.21)


def test_arms_spend_alike():
    for name, arm in CLAIM.arms.items():
        told = dict(arm.arguments)
        method = told.get("method")
        chooser = method.settings.get("chooser") if method is not None else "active"
        rows = told.get("prompts", TEXTS) * told.get("group", GROUP)
        if name == "base":
            assert told == {"steps": 0}
        elif name == "same":
            assert rows * method.settings["masks"] == GROUPS * GROUP and "prompts" not in told
        elif chooser == "active":
            assert rows * (1 + GROUP) == GROUPS * GROUP and "prompts" not in told
        else:
            assert rows == GROUPS * GROUP and (method.name == "sft" or method.settings["masks"] == 1)
        assert told.get("steps", STEPS) == (0 if name == "base" else STEPS)


def test_who_knows_masks_what_follows():
    word = CLAIM.arms["informed"].arguments["method"].settings["word"]
    for index in range(50):
        article = Articles().at(index)
        (found,) = re.findall(word, article.input)
        assert article.columns["kinds"][found] == "follows"


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert given["method"].name == "pretrain_zero" and given["method"].settings["often"] == 8
    assert given["fields"].prompt_field == "text" and given["learning"].prompts == 32 and given["learning"].group == 8
