"""A long-winded teacher who slips, what is measured of thoughts, and the three rewards."""

import pytest
import torch

from rlft.rewards.adapt import each
from rlft.tasks.steps import Steps, operations, read, result
from rlft.types import Problem, Text
from rlft.worlds.steps import by_level, long_winded, stepwise, thought


def test_what_the_teacher_thinks():
    """One step in eight is a slip when told first and one in 24 when told again, half of the steps are told again."""
    slips, counts = {True: [], False: []}, []
    for index in range(800):
        problem = Steps().at(index)
        steps, (start, kinds) = thought(problem.input, 50, index), operations(problem.input)
        assert thought(problem.input, 50, index) == steps
        letters = [step.letter for step in steps]
        assert letters == sorted(letters) and set(letters) == set("abcdef"[: len(kinds)])
        for place, step in enumerate(steps):
            again = place > 0 and letters[place - 1] == step.letter
            assert step.start == (steps[place - 1].start if again else steps[place - 1].result if place else start)
            come = result(step.start, kinds["abcdef".index(step.letter)])
            slips[again].append(step.result != come)
        counts += [letters.count(letter) for letter in set(letters)]
    assert sum(slips[False]) / len(slips[False]) == pytest.approx(1 / 8, abs=0.03)
    assert sum(slips[True]) / len(slips[True]) == pytest.approx(1 / 24, abs=0.02)
    assert sum(count > 1 for count in counts) / len(counts) == pytest.approx(0.5, abs=0.04)
    assert max(counts) == 5 and sum(counts) / len(counts) == pytest.approx(1.94, abs=0.1)


def test_its_lessons():
    problem = Steps().at(4)
    lesson = long_winded(problem)
    steps = read(lesson.demonstration)
    assert (lesson.input, lesson.answer) == (problem.input, problem.answer)
    assert lesson.demonstration.endswith(f"={steps[-1].result}") and len(lesson.demonstration) == 3 * len(steps) + 2
    assert len({long_winded(Problem(4, problem.input, visit=visit)).demonstration for visit in range(5)}) > 1
    short = thought(problem.input, 0, 1)
    assert len(short) == problem.columns["level"]


def test_by_level():
    problems = [Problem(i, "", columns={"level": level}) for i, level in enumerate((1, 2, 2))]
    outputs = [Text("a12=2", range(6)), Text("a12a12b23=3", range(12)), Text("=1", range(3))]
    found = by_level(each(lambda problem, output: float(output[-1] != "1")))(problems, outputs)
    assert found == {"level-1": 1, "level-2": 0.5, "tokens-1": 6, "tokens-2": 7.5, "tokens": 7, "again": 0.25}


@pytest.fixture(scope="module")
def small():
    return {paid: stepwise(paid=paid, imitation=2, questions=12) for paid in ("accuracy", "cosine", "published")}


def test_what_is_paid(small):
    """Of 32 tokens 16 are half; of 8 characters 2 are a quarter, and 16 are twice the limit, where it begins again."""
    problem = Steps().at(0)
    right, wrong = problem.answer, str((int(problem.answer) + 1) % 10)
    rows = [Text(f"={right}", range(16)), Text(f"={wrong}", range(16)), Text("x" * 14 + f"={right}", range(32))]
    paid = {name: [float(v) for v in world.reward([problem] * 3, rows)] for name, world in small.items()}
    assert paid["accuracy"] == [1, 0, 1]
    assert paid["cosine"] == pytest.approx([0.75, -0.75, 0.5])
    assert paid["published"] == pytest.approx([0.5 + 0.25 * (1 + 0.5**0.5), -0.5 - 0.25 * (1 + 0.5**0.5), 1.0])
    for world in small.values():
        assert world.judged([problem] * 3, rows).tolist() == [1, 0, 1]


def test_what_it_asks(small):
    world = small["accuracy"]
    assert [world.test.at(i).columns["level"] for i in range(6)] == [1, 2, 3, 4, 5, 6] and world.test.size == 12
    assert {stepwise(levels=(5, 6), imitation=2).train.at(i).columns["level"] for i in range(6)} == {5, 6}
    rows = world.policy.sample([world.test.at(5)], 3, seed=0)
    assert rows.mask.shape[1] <= 32
    assert torch.equal(world.reward(rows.problems, rows.outputs), world.judged(rows.problems, rows.outputs))
