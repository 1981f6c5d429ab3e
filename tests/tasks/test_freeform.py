"""Answers in free form: every way means the same, and no other answer does."""

import itertools

import pytest
import torch

from rlft.errors import UserError
from rlft.tasks.freeform import KINDS, TOKENS, Freeform, answers, meaning, means_the_same, same_text, worded, written
from rlft.types import Problem, Text


def test_numbers_in_words():
    assert [worded(n) for n in (0, 7, 12, 13, 18)] == ["zero", "seven", "twelve", "thirteen", "eighteen"]
    assert len({worded(n) for n in range(19)}) == 19


def test_what_is_asked():
    assert answers("count 7 5 =") == answers("length 5 7 =") == (12,)
    assert answers("both 7 9 =") == (16, 2)


def test_the_ways_of_an_answer():
    assert written("count", [12]) == [" 12"]
    assert written("length", [12]) == [" 12 cm", " 12 centimetres", " twelve cm", " twelve centimetres", " 120 mm"]
    assert written("both", [9, 5]) == [" 9 and 5", " 5 and 9", " nine and five", " five and nine"]
    assert written("both", [9, 9]) == [" 9 and 9", " nine and nine"]


def test_all_ways_mean_the_same_and_other_answers_do_not():
    """Every answer there is, in every way: as many meanings as answers, pairs without their order."""
    singles = {(kind, (n,)) for kind in ("count", "length") for n in range(19)}
    pairs = {("both", (a, b)) for a, b in itertools.combinations_with_replacement(range(19), 2)}
    held = {}
    for kind, values in singles | pairs:
        (said,) = {meaning(text) for text in written(kind, values)}
        held[said] = (kind, values)
    assert len(held) == len(singles | pairs)
    assert None not in held


@pytest.mark.parametrize(
    ("text", "same"), [(" 12 and seven", " 7 and twelve"), (" 0 mm", " zero cm"), (" 120 mm", " twelve centimetres")]
)
def test_the_oracle_knows_more_ways_than_are_written(text, same):
    assert meaning(text) == meaning(same) is not None


@pytest.mark.parametrize("text", ["", " twelve", " 12 12", " 12 and", " cm 12", " 125 mm", " ten mm", " 1 and 2 and 3"])
def test_what_says_nothing(text):
    assert meaning(text) is None


def test_rule_and_oracle():
    problem = Problem(0, "length 7 5 =", " twelve cm")
    said = [Text(" twelve cm"), Text(" 120 mm"), Text(" 13 cm"), Text(" 12"), Text(" twelve cm", truncated=True)]
    assert means_the_same()([problem] * 5, said).tolist() == [1, 1, 0, 0, 0]
    assert same_text()([problem] * 5, said).tolist() == [1, 0, 0, 0, 0]


def test_problems():
    train, test = Freeform(), Freeform("test", 300)
    problems = [test.at(index) for index in range(300)]
    assert [p.columns["kind"] for p in problems[:3]] == list(KINDS)
    assert not {p.input for p in problems} & {train.at(index).input for index in range(900)}
    ways = [written(p.columns["kind"], p.columns["values"]) for p in problems]
    places = [some.index(p.answer) for p, some in zip(problems, ways, strict=True) if len(some) == 5]
    assert all(places.count(n) in range(8, 33) for n in range(5))  # of 100, 20 ± 3 deviations
    assert torch.as_tensor(train.reward(problems, [p.answer for p in problems])).mean() == 1
    assert len(TOKENS) == len(set(TOKENS))
    with pytest.raises(IndexError):
        test.at(300)
    with pytest.raises(UserError, match="splits"):
        Freeform("dev")
