"""A frozen generator as the other side: what it is asked, what comes back, that it can be found again and is frozen."""

from dataclasses import replace

import pytest
import torch

from rlft.environments.dialogue import Dialogue
from rlft.environments.generated import Attempt, Generated, Judged, advised
from rlft.environments.scripted import Scripted
from rlft.noise import row_keys
from rlft.types import Message, Problem, Rollouts, Transcript, UserError


class Writer(torch.nn.Module):
    """Writes what it is asked and how its noise is called."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.asked = 0

    def sample(self, problems, group, seed):
        self.asked += len(problems)
        keys = row_keys(problems, group, seed).tolist()
        texts = [f"{problem.input}#{key % 1000}" for problem, key in zip(problems, keys, strict=True)]
        nothing = torch.zeros(len(texts), 1)
        return Rollouts(tuple(problems), group, texts, {}, nothing.bool(), nothing)


def judge(problems, outputs):
    """Right is what has the answer in it; of `?` there is no verdict."""
    scores = [None if "?" in text else float(one.answer in text) for one, text in zip(problems, outputs, strict=True)]
    return [Judged(score, 2, "") if score is None else Judged(score, int(2 - 2 * score), "wrong") for score in scores]


def made(**told):
    return Generated(Writer(), judge, advised("{prompt}:{advice}"), "{output} is {said}", **told)


PROBLEM = Problem(0, "ask", "right")


def said(*texts):
    """A conversation of these turns, with what came back between them."""
    generated, transcript = made(), []
    for text in texts:
        transcript.append(Message("assistant", text))
        transcript += generated.respond([PROBLEM], [transcript])[0]
    return transcript


def test_a_conversation():
    generated = made()
    assert isinstance(generated, Dialogue)
    first = [Message("assistant", " try ")]
    (back,) = generated.respond([PROBLEM], [first])[0]
    assert back.role == "verifier" and back.failed and not back.own
    assert back.content.startswith("ask:try#") and back.content.endswith(" is wrong")
    second = [*first, back, Message("assistant", "right")]
    assert not generated.respond([PROBLEM], [second])[0]
    ((one, two),) = generated.attempts([PROBLEM], [second])
    assert one.advice == "try" and one.judged == Judged(0.0, 2, "wrong") and not generated.done(one)
    assert two.output.startswith("ask:right#") and generated.done(two)
    assert generated.generator.asked == 2  # nothing is drawn again


def test_no_word_is_not_passed_on():
    generated = made()
    (back,) = generated.respond([PROBLEM], [[Message("assistant", " \n")]])[0]
    assert back.content == " is nothing was written" and generated.generator.asked == 0
    assert not generated.respond([PROBLEM], [[Message("assistant", "?")]])[0]  # without a verdict it ends


def test_what_was_attempted_depends_on_problem_and_transcript_alone():
    """In any company, and again after everything was forgotten; another seed, visit or word before is another draw."""
    transcript = said("one", "two")
    (each,) = made().attempts([PROBLEM], [transcript])
    other = replace(PROBLEM, index=1)
    pair = made().attempts([other, PROBLEM], [said("x"), transcript])
    assert pair[1] == each
    forgetful = made(known=0)
    assert forgetful.attempts([PROBLEM], [transcript]) == forgetful.attempts([PROBLEM], [transcript]) == [each]
    assert forgetful.generator.asked == 4
    for changed in (
        made(seed=1).attempts([PROBLEM], [transcript]),
        made().attempts([replace(PROBLEM, visit=1)], [transcript]),
        made().attempts([PROBLEM], [said("three", "two")]),
    ):
        assert changed[0][1].advice == "two" and changed[0][1].output != each[1].output
    aside = [Message("window", "sum up"), Message("summary", "all"), *transcript]
    assert made().attempts([PROBLEM], [aside]) == [each]


def test_the_generator_is_frozen():
    generated = made()
    assert not generated.generator.weight.requires_grad
    with pytest.raises(UserError, match="prompt"):
        advised("{advice}")


def test_what_is_asked_of_chat():
    chat = Problem(0, [{"role": "system", "content": "s"}, {"role": "user", "content": "{advice}"}])
    asked = advised()(chat, "{prompt}")
    assert asked.input == [{"role": "system", "content": "s"}, {"role": "user", "content": "{advice}\n\n{prompt}"}]
    assert advised("{advice} {prompt}")(PROBLEM, "a {prompt}").input == "a {prompt} ask"


def test_a_rule_in_place_of_a_policy():
    generated = made()
    rows = Scripted(lambda p, said, i: "right" if len(said) > 1 and i else f"{len(said)}", generated, 2).sample(
        [PROBLEM], 2, 0
    )
    assert [[message.content[:4] for message in row.messages] for row in rows.outputs] == [
        ["0", "ask:", "2"],
        ["0", "ask:", "righ"],
    ]
    assert [row.truncated for row in rows.outputs] == [True, False] and not rows.mask.any()
    assert isinstance(rows.outputs[0], Transcript) and rows.outputs[1] == "right"
    assert [len(each) for each in generated.attempts(rows.problems, [row.messages for row in rows.outputs])] == [2, 2]
    assert isinstance(generated.attempts(rows.problems, [row.messages for row in rows.outputs])[0][0], Attempt)
