"""An unchanged agent of OpenAI's client trains the model it asks: the rows are what was drawn for it."""

import copy
import functools
import io
import random

import pytest
import torch

from rlft.environments.agents import Agents
from rlft.methods.grpo import grpo
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.imitate import imitate
from rlft.policies.language.policy import Language
from rlft.rewards import result
from rlft.training.trainer import Trainer
from rlft.types import Problem, UserError
from tests.environments import asking

pytest.importorskip("openai")

TEMPLATE = (
    "{% for m in messages %}{{ '!' if m['role'] == 'assistant' else '' }}"
    "{{ m['content'] }}{% if m['role'] == 'assistant' %};{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}!{% endif %}"
)


class Sevens:
    """Whatever is asked, seven is right."""

    name, split, size = "sevens", "train", 10

    def at(self, index):
        return Problem(index, str(index), answer="7", task=self.name)


@functools.cache
def answering():
    """A model that answers whatever it is asked with one digit, any of ten."""
    tokenizer = word_tokenizer([*"0123456789!?=+;"])
    tokenizer.chat_template = TEMPLATE
    model = small_llama(len(tokenizer), width=32, layers=1, heads=2, context=64)
    language = Language(model, tokenizer, max_new_tokens=2)

    def lessons(step):
        draws = random.Random(step)
        said = ([str(draws.randrange(10)), "?"] for _ in range(16))
        asked = [[{"role": "user", "content": one} for one in (draws.choice(two),)] for two in said]
        return [Problem(i, one, answer=str(draws.randrange(10))) for i, one in enumerate(asked)]

    imitate(language, lessons, steps=60, lr=1e-2)
    return language


def policy(program, **settings):
    return Conversation(copy.deepcopy(answering()), Agents(program), **settings)


def trainer(program=asking.asked_twice, turns=2, **settings):
    told = {"prompts": 2, "group": 8, "lr": 1e-2, "seed": 1, **settings}
    return Trainer(policy(program, turns=turns), grpo(beta=0.0), Sevens(), result, **told)


def test_twenty_steps_teach_it_what_the_agent_pays_for():
    made = trainer()
    log = list(made.run(20))
    first, last = (sum(line["reward"] for line in part) / 3 for part in (log[:3], log[-3:]))
    assert first < 0.3 and last > 0.8
    assert max(line["ratio/first"] for line in log) < 5e-5


def test_a_row_is_what_was_asked_drawn_and_said_next():
    made = policy(asking.asked_twice, turns=2)
    (row,) = made.sample([Sevens().at(3)], 1, seed=2).outputs
    drawn = made.sample([Sevens().at(3)], 2, seed=2)
    assert str(drawn.outputs[0]) == str(row)
    prompt = drawn.trace["prompt"][0, : drawn.trace["prompt_length"][0]].tolist()
    words = made.language.tokenizer
    assert words.decode(prompt) == "3!"
    said, asked, again, came = drawn.outputs[0].messages
    assert (asked.role, asked.content, came.role) == ("user", "?", "result")
    text = words.decode(drawn.trace["completion"][0, : said.tokens + asked.tokens + again.tokens])
    assert text == f"{said.content}<eos>;?!{again.content}<eos>"
    assert float(came.content) == ((said.content == "7") + (again.content == "7")) / 2
    again = made.log_prob(drawn)
    torch.testing.assert_close(again, drawn.logp_old, atol=1e-5, rtol=0)


def test_a_stopped_run_goes_on_bit_for_bit():
    whole = trainer()
    wanted = [whole.step() for _ in range(3)]
    stopped = trainer()
    stopped.step()
    held = io.BytesIO()
    torch.save(stopped.state_dict(), held)
    held.seek(0)
    resumed = trainer()
    resumed.load_state_dict(copy.deepcopy(torch.load(held, weights_only=False)))
    for line in wanted[1:]:
        found = resumed.step()
        assert (found["reward"], found["grad_norm"]) == (line["reward"], line["grad_norm"])


def test_one_turn_too_few_is_no_success():
    made = policy(asking.asked_twice, turns=1)
    drawn = made.sample([Sevens().at(1)], 3, seed=0)
    assert all(output.truncated and output.messages[-1].own for output in drawn.outputs)
    assert result(drawn.problems, drawn.outputs) == [0.0] * 3


def test_a_program_that_fails_leaves_its_row_without_a_score():
    made = policy(asking.breaking, turns=3)
    drawn = made.sample([Sevens().at(1)], 16, seed=0)
    scores = torch.tensor(result(drawn.problems, drawn.outputs))
    failed = torch.tensor([any(c in "89" for c in str(output)) for output in drawn.outputs])
    assert 0 < failed.sum() < 16
    assert torch.equal(scores.isnan(), failed)
    assert (scores[~failed] == 1).all()


def test_checked_by_one_conversation():
    asked = []

    def program(problem, endpoint):
        asked.append(problem["input"])
        return asking.asked_twice(problem, endpoint)

    policy(program).check(Sevens().at(index) for index in range(10))
    assert asked == ["0"]


def test_what_an_agent_asks_may_be_too_long():
    def program(problem, endpoint):
        endpoint.client().chat.completions.create(model="m", messages=[{"role": "user", "content": "1" * 63}])

    with pytest.raises(UserError, match="do not fit"):
        policy(program).check([Sevens().at(0)])
