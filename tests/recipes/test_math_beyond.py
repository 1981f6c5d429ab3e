"""What every arm spends, what is read off a run, and the command at full size."""

import shlex

import pytest

from rlft.evidence.claim import defaults_of
from rlft.options.arguments import parse
from rlft.recipes.math_beyond import CLAIM, DRAWS, SCREENED, math_beyond, over_run
from rlft.tool.beyond import beyond


def test_what_is_read_off_a_run():
    assert over_run([], [{"reward": 0.25}, {"reward": 0.75}]) == {"gained": pytest.approx(0.5)}
    assert over_run([], [{"reward": 0.25}]) == {"gained": 0}


def test_arms_spend_alike():
    told = defaults_of(math_beyond)
    assert (told["screened"], told["draws"]) == (SCREENED, DRAWS)
    for name, arm in CLAIM.arms.items():
        asked = {**told, **arm.arguments}
        assert name == "base" or (asked["prompts"] * asked["group"], asked["steps"]) == (128, 40)


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:3] == ["rlft", "study", "beyond"]
    given = parse(beyond, words[3:], "rlft study beyond")
    assert len(given["tuned"]) == 2 and given["screening"].screened == given["counted"].samples
    assert given["screening"].verify and given["prompting"].chat
