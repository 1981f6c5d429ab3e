"""The unsure teacher's slips, and what a row is paid for, by hand."""

import torch

from rlft.tasks.steps import Steps, first_error, read
from rlft.types import Problem, Text
from rlft.worlds.unsure import LEVELS, derived, slipping, well_formed

QUESTION = Problem(0, "7a+1b*3c-2.........=", "2", {"level": 3})  # 8, 4, 2


def text(said, truncated=False):
    return Text(said, truncated=truncated)


def test_a_right_answer_needs_right_steps():
    said = ["a78b84c42=2", "a78b84c42=3", "a78b85c52=2", "b84c42=2", "a78b84=2", "=2", "a78a78b84c42=2"]
    outputs = [text(one) for one in said] + [text("a78b84c42=2", truncated=True)]
    judged = derived(Steps(LEVELS).reward)([QUESTION] * len(outputs), outputs)
    assert judged.tolist() == [1, 0, 0, 0, 0, 0, 1, 0]


def test_form():
    for said, formed in (
        ("a78b84c42=9", 1),
        ("a79b97=", 0),
        ("a78b84=12", 0),
        ("a78", 0),
        ("a78a78=1", 1),
        ("a78=x", 0),
        ("", 0),
    ):
        assert well_formed(QUESTION, text(said)) == formed, said
    assert well_formed(QUESTION, text("a78=9", truncated=True)) == 0


def test_three_steps_in_eight_are_wrong():
    task, wrong, steps = Steps(LEVELS), 0, 0
    for index in range(400):
        shown = slipping(task.at(index))
        told = read(shown.demonstration)
        assert len(told) == shown.columns["level"] and shown.demonstration.endswith(f"={told[-1].result}")
        # Each is gone on from; so it is wrong where it is as the first of its own question.
        for one in told:
            place = "abcdef".index(one.letter)
            alone = f"{one.start}a{shown.input[2 + 3 * place : 4 + 3 * place]}="
            wrong += first_error(alone, [one.__class__("a", one.start, one.result)]) is not None
            steps += 1
    assert abs(wrong / steps - 3 / 8) < 0.03
    assert torch.is_tensor(derived(task.reward)([QUESTION], [text("")]))
