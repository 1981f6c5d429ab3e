"""Arithmetic: right answers, and splits that never share a pair of numbers, in any order."""

import json
import pickle
import re

import pytest

from rlft.tasks.arithmetic import Arithmetic
from rlft.types import Text, UserError

SPLITS = ("train", "validation", "test")


def problems(**settings):
    task = Arithmetic(**settings)
    return [task.at(index) for index in range(task.size)]


def pair(question):
    a, operator, b = re.fullmatch(r"(\d+)([-+*])(\d+)=", question).groups()
    return frozenset((int(a), int(b))), operator


@pytest.mark.parametrize(("digits", "operators"), [(1, "+"), (1, "+-*"), (2, "+"), (2, "-*")])
def test_splits_are_all_questions_and_share_none(digits, operators):
    found = [{pair(p.input) for p in problems(digits=digits, operators=operators, split=split)} for split in SPLITS]
    sizes = [Arithmetic(digits, operators, split).size for split in SPLITS]
    assert [len(pairs) for pairs in found] == sizes  # no question twice
    n = 10**digits
    assert len(found[0] | found[1] | found[2]) == sum(sizes) == n * (n + 1) // 2 * len(operators)


def test_sizes():
    assert [Arithmetic(split=split).size for split in SPLITS] == [4040, 505, 505]


def test_answers_are_right_and_earn_the_reward():
    some = problems(operators="+-*", split="test")
    assert {pair(p.input)[1] for p in some} == set("+-*")
    for problem in some:
        assert int(problem.answer) == eval(problem.input.rstrip("=")) >= 0
        assert problem.columns == {"question": problem.input, "answer": problem.answer}
    reward = Arithmetic().reward
    assert reward(some, [Text(p.answer) for p in some]).min() == 1
    assert reward(some, [Text(p.answer + "0") for p in some]).max() == 0


def test_both_orders_of_a_sum_occur():
    questions = [p.input for p in problems(split="train")]
    ascending = sum(int(a) < int(b) for a, b in (q.rstrip("=").split("+") for q in questions))
    assert 0.45 < ascending / len(questions) < 0.55


def test_the_same_everywhere():
    assert [Arithmetic().at(i).input for i in range(3)] == ["64+26=", "71+80=", "83+62="]
    assert Arithmetic(9).at(12345) == Arithmetic(9).at(12345)
    problem = Arithmetic(split="test").at(7)
    assert pickle.loads(pickle.dumps(problem)) == problem
    assert json.loads(json.dumps(problem.columns)) == problem.columns
    assert (problem.task, problem.split, problem.index) == ("arithmetic-2+", "test", 7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "dev"}, "train, validation, test; not 'dev'"),
        ({"digits": 0}, "from 1 to 9; got 0"),
        ({"operators": "/"}, "got '/'"),
        ({"operators": "++"}, "different"),
    ],
)
def test_errors(settings, message):
    with pytest.raises(UserError, match=re.escape(message)):
        Arithmetic(**settings)
    with pytest.raises(IndexError):
        Arithmetic().at(4040)
