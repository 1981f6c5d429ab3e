"""A small model that is shown how to call a calculator, and learns from rewards to call it more often."""

import json
import random

import pytest

from rlft.environments.tools import Tools
from rlft.methods.grpo import grpo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.imitate import imitate
from rlft.policies.language.policy import Language
from rlft.training.trainer import Trainer
from rlft.types import Problem
from tests.environments import calculator

pytestmark = pytest.mark.slow


def call(a, b):
    return f"<tool_call>{json.dumps({'name': 'add', 'arguments': {'a': a, 'b': b}})}</tool_call>"


class Sums:
    """a + b for digits up to four."""

    name, split, size = "sums", "train", 25

    def at(self, index):
        a, b = divmod(index, 5)
        return Problem(index, f"{a}+{b}=", answer=str(a + b), task=self.name)


def taught(step):
    """Sixteen problems: of five, three with the tool, two with a guess."""
    draws = random.Random(step)
    problems = []
    for index in range(16):
        a, b = draws.randrange(5), draws.randrange(5)
        called = [("assistant", call(a, b)), ("tool", str(a + b)), ("assistant", str(a + b))]
        guess = [("assistant", str(draws.randrange(9)))]
        said = called if draws.random() < 0.6 else guess
        problems.append(Problem(index, f"{a}+{b}=", answer=[{"role": r, "content": text} for r, text in said]))
    return problems


def right(problems, outputs):
    return [float(output == problem.answer) for problem, output in zip(problems, outputs, strict=True)]


def test_it_learns_to_call():
    letters = "0123456789+=\n" + call(1, 2) + "<tool_response></tool_response>" + "error: the call is not JSON"
    tokenizer = character_tokenizer(letters)
    model = small_llama(len(tokenizer), width=64, layers=2, heads=4, context=192)
    policy = Conversation(Language(model, tokenizer, max_new_tokens=80), Tools([calculator.add]), turns=3)
    imitate(policy, taught, steps=300, lr=5e-3)

    rows = policy.sample([Sums().at(index) for index in range(25)], 4, seed=1)
    called = [output for output in rows.outputs if len(output.messages) > 1]
    answered = [output for output in called if not output.messages[1].failed]
    assert 40 < len(answered) < 80  # of 100
    for output in answered:
        asked = json.loads(output.messages[0].content.removeprefix("<tool_call>").removesuffix("</tool_call>"))
        assert output.messages[1].content == str(sum(asked["arguments"].values()))
        assert [message.role for message in output.messages[:3]] == ["assistant", "tool", "assistant"]

    trainer = Trainer(policy, grpo(beta=0.0), Sums(), right, prompts=12, group=8, lr=5e-4, watch_kl=True)
    log = list(trainer.run(12))
    first, last = (sum(line["reward"] for line in part) / 3 for part in (log[:3], log[-3:]))
    assert last > first + 0.15
    assert max(line["ratio/first"] for line in log) < 5e-5
    again = policy.sample([Sums().at(index) for index in range(25)], 4, seed=1)
    assert sum(len(output.messages) > 1 for output in again.outputs) > 85
