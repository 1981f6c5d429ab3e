"""The command at full size: it parses, and asks for the reward of the paper."""

import inspect
import shlex

from rlft import rewards
from rlft.options.arguments import parse
from rlft.options.calls import parse_call
from rlft.recipes.adactrl import CLAIM
from rlft.recipes.train import train


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert given["method"].name == "dapo" and given["method"].settings["limit"] == given["sampling"].max_new_tokens
    (reward,) = (parse_call(text) for text in given["rewards"].reward)
    assert reward.name == "adactrl"
    assert set(reward.settings) <= set(inspect.signature(rewards.adactrl).parameters)
