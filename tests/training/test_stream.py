"""The order of problems: each pass a permutation of its own, and a position is enough to go on from."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from rlft.noise import permuted
from rlft.tasks.augmented import Augmented
from rlft.tasks.subset import Subset
from rlft.training.pending import as_state, from_state
from rlft.training.stream import Stream
from rlft.types import Problem, Rollouts, UserError


class Numbers:
    """Problem i is the number i."""

    def __init__(self, size, name="numbers", split="train"):
        self.size, self.name, self.split = size, name, split

    def at(self, index):
        assert self.size is None or index < self.size
        return Problem(index=index, input=str(index), task=self.name, split=self.split)


def order(stream, count):
    return [problem.index for problem in stream.take(count)]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 64, 65, 1000])
def test_permuted_is_a_permutation(size):
    assert sorted(permuted(place, size, "key") for place in range(size)) == list(range(size))


def test_permuted_is_even():
    # of 720 orders of six, all come up; where each item goes, 2000 keys spread evenly (5 sigma)
    drawn = [tuple(permuted(place, 6, key) for place in range(6)) for key in range(2000)]
    assert len(set(drawn)) > 600
    for place in range(6):
        counts = Counter(one[place] for one in drawn)
        assert all(abs(counts[item] - 2000 / 6) < 5 * (2000 * 5 / 36) ** 0.5 for item in range(6))


def test_each_pass_has_every_problem_once_in_its_own_order():
    problems = Stream(Numbers(50), seed=3).take(150)
    passes = [problems[start : start + 50] for start in (0, 50, 100)]
    for visit, one in enumerate(passes):
        assert sorted(problem.index for problem in one) == list(range(50))
        assert {problem.visit for problem in one} == {visit}
        assert all(problem.input == str(problem.index) for problem in one)
    orders = [[problem.index for problem in one] for one in passes]
    assert orders[0] != orders[1] != orders[2] != list(range(50))


def test_the_order_is_the_seeds_and_the_tasks():
    same = order(Stream(Numbers(50), seed=3), 50)
    assert order(Stream(Numbers(50), seed=3), 50) == same
    others = [Stream(Numbers(50), 4), Stream(Numbers(50, name="b"), 3), Stream(Numbers(50, split="test"), 3)]
    assert all(order(other, 50) != same for other in others)


@pytest.mark.parametrize("size", [None, 20])
def test_going_on_is_as_if_nothing_had_happened(size):
    straight = Stream(Numbers(size), seed=5)
    whole = straight.take(7) + straight.take(4) + straight.take(30)
    first = Stream(Numbers(size), seed=5)
    begun = first.take(7)
    second = Stream(Numbers(size), seed=5)
    second.load_state_dict(first.state_dict())
    assert begun + second.take(34) == whole
    assert first.state_dict() == {"position": 7}


def test_endless_tasks_come_in_order():
    problems = Stream(Numbers(None), seed=9).take(5)
    assert [(problem.index, problem.visit) for problem in problems] == [(i, 0) for i in range(5)]


def test_a_huge_task_costs_nothing():
    found = order(Stream(Numbers(10**12), seed=0), 100)
    assert len(set(found)) == 100
    assert max(found) > 10**11


def test_an_empty_task_is_refused():
    with pytest.raises(UserError, match="no problems in its split 'train'"):
        Stream(Numbers(0), seed=0)


class Turned(Numbers):
    """Problem i is asked as i and the pass it is asked in."""

    def visited(self, index, visit):
        return replace(self.at(index), input=f"{index} in {visit}")


def test_a_task_may_ask_otherwise_at_each_visit():
    for task in (Turned(4), Subset(Turned(9), [7, 5, 3, 1]), Augmented(Turned(4), lambda problem: None)):
        problems = Stream(task, seed=0).take(12)
        meant = task.indices if isinstance(task, Subset) else range(4)
        assert all(p.input == f"{meant[p.index]} in {p.visit}" for p in problems)
        assert [problem.visit for problem in problems] == [0] * 4 + [1] * 4 + [2] * 4
        # A checkpoint inside a step finds them as they were asked.
        rows = torch.zeros(12, 1)
        state = as_state(Rollouts(tuple(problems), 1, [None] * 12, {}, rows.bool(), rows))
        assert from_state(state, task).problems == tuple(problems)
