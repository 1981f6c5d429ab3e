"""Whether an answer is what its thought has come to, by hand."""

import math

import pytest

from rlft.measure.consistency import consistent
from rlft.types import Problem, Text

OPTIONS = {"A": "flash", "B": "ring", "C": "grow", "D": "dim light"}


def found(text, options=OPTIONS):
    problem = Problem(0, "", "A", {} if options is None else {"options": options})
    return consistent([problem], [Text(text)])["consistent"]


@pytest.mark.parametrize(
    ("text", "agrees"),
    [
        ("<think>first A, no: B</think><answer>B</answer>", 1.0),
        ("<think>first A, no: B</think><answer>A</answer>", 0.0),
        ("<think>a ring, then they flash.</think><answer>A</answer>", 1.0),  # its text is its letter
        ("<think>a ring, then they Flash.</think><answer>flash</answer>", 1.0),
        ("<think>a ring, flashing</think><answer>B</answer>", 1.0),  # whole words
        ("<think>it is the dim light</think><answer>D</answer>", 1.0),
        ("<think>it is the dim lights</think><answer>D</answer>", 0.0),
        ("<think>Apple, says A</think><answer>Apple</answer>", 0.0),  # no option at all
        ("<think>nothing</think><answer>nothing</answer>", 0.0),
        ("<think>ring</think>\n B", 1.0),  # behind the thought, without tags
    ],
)
def test_the_option_named_last_is_what_a_thought_comes_to(text, agrees):
    assert found(text) == agrees


def test_without_options_it_is_the_last_word():
    assert found("<think>4 + 3 = 7.</think><answer>7</answer>", None) == 1.0
    assert found("<think>4 + 3 = 7</think><answer>8</answer>", None) == 0.0
    assert found("<think>...</think><answer>8</answer>", None) == 0.0


def test_only_rows_that_think_and_answer_count():
    texts = ["<think>A</think><answer>A</answer>", "<think>B</think><answer>A</answer>", "A", "<think>A</think>"]
    problems = [Problem(i, "", "A", {"options": OPTIONS}) for i in range(4)]
    assert consistent(problems, [*map(Text, texts)]) == {"consistent": 0.5, "thought": 0.5}
    none = consistent(problems[2:], [*map(Text, texts[2:])])
    assert math.isnan(none["consistent"]) and none["thought"] == 0.0
