"""Every claim's command at full size is one that the tool takes: its options exist, and their values can be read."""

import shlex

import pytest

from rlft import recipes
from rlft.options.arguments import parse
from rlft.recipes.pictures import pictures
from rlft.recipes.train import train
from rlft.reproduce import declared
from rlft.reproduce.arms import claim

PIPELINES = {"b2_diffurl", "kandinsky5", "loop", "prdp"}
OTHERS = {"sample", "study"}
KEYS = declared.claims()


@pytest.mark.parametrize("key", KEYS)
def test_the_command_can_be_read(key):
    tool, command, *words = shlex.split(claim(key).real)
    assert tool == "rlft" and command in {"train", "run", *OTHERS}
    if command == "train":
        parse(pictures if key in PIPELINES else train, words, "rlft train")
    elif command == "run":
        recipe, rest = recipes.of_a_method(words[0], words[1:])
        parse(recipes.named(recipe), rest, f"rlft run {recipe}")
