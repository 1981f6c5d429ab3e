"""Hidden digits: by hand, a guess that is worth a tenth, splits that share no question."""

from collections import Counter

import pytest

from rlft.tasks.hidden import Hidden, asked, tried, tries
from rlft.types import Text, UserError


def test_by_hand():
    """7 + 4 = 11, 1 · 3 = 3, 3 - 2 = 1."""
    assert asked("+4*3-2:1=") == (["+4", "*3", "-2"], "1")
    assert tried(7, ["+4", "*3", "-2"]) == "7131"
    assert tried(0, ["-1"]) == "09"
    assert tries("5975.6080.7131=7") == ["5975", "6080", "7131"]
    assert tries("=7") == [] and tries("7131") == []


def test_questions():
    task = Hidden(operations=2)
    for index in range(60):
        problem = task.at(index)
        kinds, target = asked(problem.input)
        assert len(kinds) == 2
        fits = [digit for digit in range(10) if tried(digit, kinds)[-1] == target]
        assert problem.answer == str(fits[0]) and len(fits) == 1
        assert problem.demonstration == f"{tried(fits[0], kinds)}={fits[0]}"
        assert task.at(index) == problem


def test_a_guess_is_right_one_time_in_ten():
    found = Counter(Hidden(split="test").at(index).answer for index in range(2000))
    assert set(found) == set("0123456789")
    assert max(found.values()) / 2000 < 0.13


def test_what_is_right():
    task = Hidden()
    problem = task.at(3)
    wrong = str((int(problem.answer) + 1) % 10)
    rows = [Text(f"={problem.answer}"), Text(f"0000.={problem.answer}"), Text(f"={wrong}"), Text(problem.answer)]
    assert task.reward([problem] * 4, rows).tolist() == [1, 1, 0, 0]


def test_splits_share_nothing_and_end():
    train, test = ({Hidden(split=split).at(index).input for index in range(400)} for split in ("train", "test"))
    assert not train & test
    assert Hidden(size=3).at(2) == Hidden().at(2)
    with pytest.raises(IndexError):
        Hidden(size=3).at(3)


@pytest.mark.parametrize(("told", "said"), [({"split": "dev"}, "train, test"), ({"operations": 0}, "at least 1")])
def test_what_is_refused(told, said):
    with pytest.raises(UserError, match=said):
        Hidden(**told)
