"""Problems answered step by step: right thoughts, errors that are found, a guess that is worth a tenth, splits."""

from collections import Counter

import pytest

from rlft.options.task import load_task
from rlft.tasks.steps import OPERATIONS, Step, Steps, first_error, operations, read, result, told, written
from rlft.types import Text, UserError


@pytest.mark.parametrize(
    ("question", "thought"),
    [("7a+1b*3c-2....=", "a78b84c42=2"), ("0a-1...=", "a09=9"), ("9a*7b*7c+3=", "a93b31c14=4")],
)
def test_by_hand(question, thought):
    assert written(told(question)) == thought
    assert read(thought) == told(question) and first_error(question, read(thought)) is None


def test_every_operation_is_a_bijection():
    for operation in OPERATIONS:
        assert {result(digit, operation) for digit in range(10)} == set(range(10))


def test_questions():
    task = Steps((1, 3, 4), places=4)
    for index in range(90):
        problem = task.at(index)
        level = problem.columns["level"]
        assert level == (1, 3, 4)[index % 3] and len(problem.input) == 14 and problem.input[-1] == "="
        start, kinds = operations(problem.input)
        assert len(kinds) == level and set(kinds) <= set(OPERATIONS)
        for kind in kinds:
            start = result(start, kind)
        assert problem.answer == str(start) == problem.demonstration[-1]
        assert len(problem.demonstration) == 3 * level + 2


def test_a_guess_is_right_one_time_in_ten():
    """At every level, whatever is always said; and so is whoever knows all but the last operation's digit."""
    for level in (1, 4):
        task = Steps((level,), split="test")
        found = Counter(task.at(index).answer for index in range(2000))
        assert set(found) == set("0123456789")
        assert max(found.values()) / 2000 < (0.2 if level == 1 else 0.13)  # level 1 has some 35 questions


def test_what_is_right():
    problem = Steps().at(5)
    wrong = str((int(problem.answer) + 1) % 10)
    rows = [
        problem.demonstration,
        f"={problem.answer}",
        f"a12={wrong}={problem.answer}",
        f"={wrong}",
        problem.answer,
        f"={problem.answer}0",
        "",
        Text(f"={problem.answer}", (1, 2), truncated=True),
    ]
    assert Steps().reward([problem] * len(rows), rows).tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


def test_read_stops_where_it_is_no_step():
    assert read("a12b3") == read("a12b3=4") == [Step("a", 1, 2)]
    assert read("Ha12=") == [Step("a", 1, 2)]
    assert read("=4") == read("") == read("12a") == []


def test_first_error():
    question = "7a+1b*3c-2....="  # a78 b84 c42

    def error(text):
        return first_error(question, read(text))

    assert error("a78b84") is None and error("") is None
    assert error("a79b97") == 0  # what follows an error is no error of its own
    assert error("a78b85c53") == 1
    assert error("a79a78b84") is None and error("a78a79b97") == 1  # the last telling counts
    assert error("a78c42") == 1 and error("a78b74") == 1
    assert error("a78b84c42d42") == 3


def test_splits_share_no_question():
    train, test = ({task.at(i).input for i in range(600)} for task in (Steps(split=s) for s in ("train", "test")))
    assert not train & test and len(train) > 300 < len(test)
    assert Steps(size=5).at(4) == Steps().at(4)
    assert load_task("steps(levels=(2,))").at(3).columns == {"level": 2}


@pytest.mark.parametrize(
    "settings", [{"levels": ()}, {"levels": (0,)}, {"levels": (7,)}, {"places": 9}, {"split": "x"}]
)
def test_what_is_refused(settings):
    with pytest.raises(UserError, match=r"a level is a number of operations|steps have the splits"):
        Steps(**settings)
    with pytest.raises(IndexError):
        Steps(size=5).at(5)
