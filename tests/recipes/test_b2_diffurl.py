"""B²-DiffuRL: what is compared at another number's equal, and the command at full size."""

import math
import shlex

import pytest

from rlft.options.arguments import parse
from rlft.recipes.b2_diffurl import CLAIM, crossed, matched
from rlft.recipes.pictures import pictures


def line(step, right, varied, covered=0.3, frechet=50.0):
    values = {"judge/accuracy": right, "diversity/right": varied, "coverage": covered, "frechet": frechet}
    return {"step": step, **values}


def test_where_numbers_are_equal():
    lines = [
        line(0, 0.3, 20.0, 0.4),
        line(5, 0.4, 19.0, 0.1, 60.0),
        line(10, 0.6, 15.0, 0.3, 70.0),
        line(15, 0.7, 21.0, 0.1),
    ]
    # half of the way from the second to the third; coverage falls below 0.2 for good half-way to the last
    expected = {"at/diversity": 17.0, "at/coverage": 0.2, "at/frechet": 65.0, "at/step": 7.5, "aligned": 0.65}
    assert matched([], lines) == pytest.approx(expected)
    assert matched([], lines[:3])["aligned"] == 0.6
    assert math.isnan(matched([], lines[:2])["at/step"])
    assert crossed([0.2, 0.4, 0.7], [1.0, 2.0, 3.0], 0.5) == pytest.approx(2 + 1 / 3)
    assert crossed([0.6, 0.4, 0.7], [1.0, 2.0, 3.0], 0.5) == 1.0
    assert all(math.isnan(value) for value in matched([], [{**line(0, 0.3, 20.0), "coverage": None}]).values())


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(pictures, words[2:], "rlft train")
    assert given["method"].name == "b2_diffurl" and given["drawing"].denoising_steps == 20
    assert given["learning"].prompts % given["learning"].group == 0
