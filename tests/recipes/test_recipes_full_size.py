"""Every claim's command at full size is one that the tool takes: its options exist, and their values can be read."""

import shlex

import pytest

from rlft import recipes
from rlft.options.arguments import parse
from rlft.recipes.pictures import pictures
from rlft.recipes.train import train
from rlft.reproduce import declared
from rlft.reproduce.arms import claim

# What is done from Python alone, and said so; the list may only get shorter.
IN_PYTHON = {"pa_rl", "rlg", "svdd"}
PIPELINES = {"b2_diffurl", "kandinsky5", "loop", "prdp"}
OTHERS = {"sample", "study"}
KEYS = [key for key in declared.claims() if key not in IN_PYTHON]


@pytest.mark.parametrize("key", KEYS)
def test_the_command_can_be_read(key):
    tool, command, *words = shlex.split(claim(key).real)
    assert tool == "rlft" and command in {"train", "run", *OTHERS}
    if command == "train":
        parse(pictures if key in PIPELINES else train, words, "rlft train")
    elif command == "run":
        parse(recipes.named(words[0]), words[1:], f"rlft run {words[0]}")


def test_what_is_done_from_python_is_no_command():
    assert not any(claim(key).real.startswith("rlft ") for key in IN_PYTHON)
