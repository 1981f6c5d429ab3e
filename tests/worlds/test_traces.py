"""Traces by hand, what the base has read, and what is measured of a search."""

from collections import Counter
from itertools import pairwise

import pytest

from rlft.tasks.hidden import Hidden, asked, tried, tries
from rlft.types import Problem, Text, UserError
from rlft.worlds import traces as world
from rlft.worlds.traces import Shown, answered, search, searching_answer, told, traces

# 7 + 4 = 11, 1 · 3 = 3, 3 - 2 = 1
PROBLEM = Problem(0, "+4*3-2:1=", "7")


def test_what_is_shown_from_each_source():
    assert told(PROBLEM, "answer") == "=7"
    assert told(PROBLEM, "polished") == "7131=7"
    assert told(PROBLEM, "edited") == "6008.7131=7"
    repeated = tries(told(PROBLEM, "template"))
    assert set(repeated) == {"7131"} and 1 <= len(repeated) <= 10


def test_a_search_goes_on_until_one_fits():
    lengths = set()
    for index in range(60):
        problem = searching_answer(Hidden().at(index))
        kinds, target = asked(problem.input)
        told_ = tries(problem.demonstration)
        digits = [int(one[0]) for one in told_]
        assert [tried(digit, kinds) for digit in digits] == told_
        assert [one[-1] == target for one in told_] == [False] * (len(told_) - 1) + [True]
        assert all((one + 1) % 10 == other for one, other in pairwise(digits))
        assert problem.demonstration.endswith(f"={digits[-1]}") and str(digits[-1]) == problem.answer
        lengths.add(len(told_))
    assert lengths == set(range(1, 11))


@pytest.mark.parametrize("searching", [0, 10])
def test_what_the_base_has_read(searching):
    """Searches in a hundred; of the others three in ten are right."""
    read, kinds, right = answered(searching), Counter(), []
    for index in range(2000):
        problem = Hidden().at(index)
        answer = read(problem)
        told_ = tries(answer.demonstration)
        kinds[min(len(told_), 2)] += 1
        if len(told_) < 2:
            right.append(answer.demonstration[-1] == problem.answer)
        for one in told_:
            assert one == tried(int(one[0]), asked(problem.input)[0])
    assert kinds[2] / 2000 == pytest.approx(0.9 * searching / 100, abs=0.02)  # one search in ten ends with its first
    assert kinds[0] / 2000 == pytest.approx(0.7 - searching / 100, abs=0.04)
    assert sum(right) / len(right) == pytest.approx(0.3, abs=0.04)


def test_what_is_measured_of_a_search():
    problems = [PROBLEM] * 4
    texts = ["6008.7131=7", "7131.7131=7", "=7", "7132=7"]  # the last one's sum is wrong
    found = search(problems, [Text(text, range(len(text))) for text in texts])
    assert found == {"tries": 5 / 4, "turns": 1 / 4, "checked": 2 / 4, "tokens": (11 + 11 + 2 + 6) / 4}


@pytest.fixture(scope="module")
def small():
    return traces(imitation=2, examples=4, questions=6)


def test_examples_are_of_the_reasoner_where_it_is_right(small, monkeypatch):
    """Here it never is, so that each is a search that it might have read."""
    assert small.train.size == 4 and len({small.train.at(place).input for place in range(4)}) == 4
    for place in range(4):
        problem = small.train.at(place)
        assert problem.index == place
        assert problem.demonstration.endswith(f"={problem.answer}")
        assert tries(problem.demonstration)[-1][0] == problem.answer
    assert not {p.input for p in small.train.problems} & {small.test.at(i).input for i in range(6)}


def test_which_questions_are_shown_differs_by_seed():
    one, same, other = (Shown("polished", 20, 2, seed) for seed in (0, 0, 1))
    assert one.problems == same.problems
    assert not {p.input for p in one.problems} & {p.input for p in other.problems}
    assert [p.demonstration for p in one.problems] == [told(p, "polished") for p in one.problems]


def test_what_is_refused():
    with pytest.raises(UserError, match="at most 70, not 80"):
        traces(searching=80)


def test_room_for_ten_tries():
    assert len(told(PROBLEM, "answer")) + 10 * len("7131.") <= world.TOKENS
