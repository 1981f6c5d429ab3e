"""The command at full size: it parses, and a model that is not trained writes what is rewarded."""

import inspect
import shlex

from rlft import rewards
from rlft.options.arguments import parse
from rlft.options.calls import parse_call
from rlft.recipes.proof2silicon import CLAIM
from rlft.recipes.train import train


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert given["method"].min_group == 2 and given["learning"].group == 16
    tools = given["tools"]
    assert (tools.generator, tools.turns, tools.generator_tokens) == ("Qwen/Qwen2.5-Coder-7B-Instruct", 3, 1024)
    (reward,) = (parse_call(text) for text in given["rewards"].reward)
    assert set(reward.settings) <= set(inspect.signature(rewards.dafny).parameters)
