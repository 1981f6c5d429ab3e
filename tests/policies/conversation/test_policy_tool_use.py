"""A small model that is shown how to call a calculator, and learns from rewards to call it more often."""

import json
import random
import re

from rlft.environments.tools import Tools
from rlft.methods.grpo import grpo
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.imitate import imitate
from rlft.policies.language.policy import Language
from rlft.training.trainer import Trainer
from rlft.types import Problem
from tests.environments import calculator

ERROR = "error: the call is not JSON"


def call(a, b):
    return f"<tool_call>{json.dumps({'name': 'add', 'arguments': {'a': a, 'b': b}})}</tool_call>"


class Sums:
    """a + b for digits up to four."""

    name, split, size = "sums", "train", 25

    def at(self, index):
        a, b = divmod(index, 5)
        return Problem(index, f"{a}+{b}=", answer=str(a + b), task=self.name)


def taught(step):
    """Sixteen problems: of five, two with the tool, three with a guess."""
    draws = random.Random(step)
    problems = []
    for index in range(16):
        a, b = draws.randrange(5), draws.randrange(5)
        called = [("assistant", call(a, b)), ("tool", str(a + b)), ("assistant", str(a + b))]
        guess = [("assistant", str(draws.randrange(9)))]
        said = called if draws.random() < 0.4 else guess
        problems.append(Problem(index, f"{a}+{b}=", answer=[{"role": r, "content": text} for r, text in said]))
    return problems


def right(problems, outputs):
    return [float(output == problem.answer) for problem, output in zip(problems, outputs, strict=True)]


def test_it_learns_to_call():
    marks = re.split("[12]", call(1, 2))  # one token each, so that a call is of five
    tokenizer = word_tokenizer([*"0123456789+=\n", *marks, "<tool_response>", "</tool_response>", ERROR])
    model = small_llama(len(tokenizer), width=64, layers=2, heads=4, context=64)
    policy = Conversation(Language(model, tokenizer, max_new_tokens=8), Tools([calculator.add]), turns=3)
    imitate(policy, taught, steps=100, lr=5e-3)

    rows = policy.sample([Sums().at(index) for index in range(25)], 4, seed=1)
    called = [output for output in rows.outputs if len(output.messages) > 1]
    answered = [output for output in called if not output.messages[1].failed]
    assert 20 < len(answered) < 60  # of 100
    for output in answered:
        asked = json.loads(output.messages[0].content.removeprefix("<tool_call>").removesuffix("</tool_call>"))
        assert output.messages[1].content == str(sum(asked["arguments"].values()))
        assert [message.role for message in output.messages[:3]] == ["assistant", "tool", "assistant"]

    trainer = Trainer(policy, grpo(beta=0.0), Sums(), right, prompts=25, group=8, lr=2e-3, watch_kl=True)
    log = list(trainer.run(8))
    first, last = (sum(line["reward"] for line in part) / 2 for part in (log[:2], log[-2:]))
    assert last > first + 0.15
    assert max(line["ratio/first"] for line in log) < 5e-5
    again = policy.sample([Sums().at(index) for index in range(25)], 4, seed=1)
    assert sum(len(output.messages) > 1 for output in again.outputs) > 85
