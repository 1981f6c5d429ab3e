"""The command at full size: it parses, learns in the same two stages, and asks Coq."""

import inspect
import shlex

from rlft import rewards
from rlft.options.arguments import parse
from rlft.options.calls import parse_call
from rlft.recipes.neural_theorem_proving import CLAIM, TWO_STAGES
from rlft.recipes.train import train


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = parse(train, words[2:], "rlft train")
    assert given["method"].name == TWO_STAGES.name
    assert given["method"].settings["taught"] == 300
    assert given["fields"].answer_field == "proof"
    (reward,) = (parse_call(text) for text in given["rewards"].reward)
    assert reward.name == "coq"
    assert set(reward.settings) <= set(inspect.signature(rewards.coq).parameters)
