"""Words backwards: what is right, how often the teacher slips, splits that share no word."""

import pytest

from rlft.tasks.reversal import LETTERS, Reversal
from rlft.types import Task, UserError


def test_the_right_answer_earns_one_and_nothing_else_does():
    task = Reversal(length=7, slip=0.0)
    assert isinstance(task, Task)
    problems = [task.at(i) for i in range(200)]
    assert {len(p.input) for p in problems} == {8}
    assert all(p.input[-1] == "=" and p.answer == p.input[-2::-1] == p.columns["right"] for p in problems)
    assert set("".join(p.answer for p in problems)) == set(LETTERS)
    assert task.reward(problems, [p.answer for p in problems]) == [1.0] * 200
    wrong = [p.answer[:-1], p.answer + "a", p.input[:-1], ""] if (p := problems[3]) else []
    assert task.reward([problems[3]] * 4, wrong) == [0.0] * 4
    assert task.at(5) == Reversal(length=7, slip=0.0).at(5)


def test_the_teacher_slips_as_often_as_it_is_said_to():
    task = Reversal(length=6, slip=0.3)
    problems = [task.at(i) for i in range(3000)]
    slips = [[a != b for a, b in zip(p.answer, p.columns["right"], strict=True)] for p in problems]
    for place in range(6):
        # a share of 0.3 among 3000 has a deviation of 0.0084
        assert abs(sum(row[place] for row in slips) / 3000 - 0.3) < 0.042
    assert abs(sum(not any(row) for row in slips) / 3000 - 0.7**6) < 0.03
    right = task.reward(problems, [p.answer for p in problems])
    assert sum(right) == sum(not any(row) for row in slips)
    wrong = [a for p in problems for a, b in zip(p.answer, p.columns["right"], strict=True) if a != b and b == "c"]
    assert set(wrong) == set(LETTERS) - {"c"}


def test_splits_share_no_word():
    train, test = ({Reversal(length=3, split=s).at(i).input for i in range(2000)} for s in ("train", "test"))
    assert not train & test
    assert 300 < len(train) and 300 < len(test) and len(train | test) <= 1000


def test_what_cannot_be_is_refused():
    for settings, text in (
        ({"split": "dev"}, "splits train, test"),
        ({"length": 0}, "at least 1"),
        ({"slip": 2.0}, "share"),
    ):
        with pytest.raises(UserError, match=text):
            Reversal(**settings)
