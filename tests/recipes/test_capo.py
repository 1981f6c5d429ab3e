"""What is read off a run, by hand; that every arm spends alike; and the command at full size."""

import math
import shlex

import pytest

from rlft.options.arguments import parse
from rlft.recipes.capo import CLAIM, on_the_way
from rlft.recipes.train import train


def test_on_the_way():
    """Quarters of 8 steps are two each; a step without a wrong step has no share that is missed."""
    shares = [0.1, 0.3, 0.5, 0.5, 0.5, 0.5, 0.6, 0.8]
    metrics = [{"measure/fooled": share, "measure/missed": 1 - share, "measure/accused": 0.1} for share in shares]
    metrics[0]["measure/missed"] = math.nan
    found = on_the_way(metrics, [{"reward": 0.2}, {"reward": 0.4}, {"reward": 0.7, "sound": 0.4}])
    assert found == pytest.approx(
        {
            "half": 0.4,
            "unsound": 0.3,
            "fooled/early": 0.2,
            "fooled/late": 0.7,
            "fooled/grown": 0.5,
            "missed/early": 0.7,
            "missed/late": 0.2,
            "missed/grown": -0.5,
            "accused/early": 0.1,
            "accused/late": 0.1,
            "accused/grown": 0.0,
        }
    )
    still = on_the_way([], [{"reward": 0.3, "sound": 0.3}])
    assert still == {"half": 0.3} | dict.fromkeys(set(found) - {"half"}, 0.0)


def test_arms_draw_as_many_rows():
    for name, arm in CLAIM.arms.items():
        told = arm.arguments
        assert told.get("prompts", 16) * told.get("group", 8) == 128, name
        assert told.get("steps", 20) == (0 if name == "base" else 20)


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert given["method"].name == "capo" and given["method"].settings["correct"] == 2
    assert len(given["rewards"].reward) == 2
