"""A hurried annotator, and what is paid for right, wrong and unfinished answers."""

import pytest

from rlft.tasks.steps import Steps, operations, read, result
from rlft.types import Text
from rlft.worlds.annotated import annotated, hurried


def test_the_annotator():
    wrong = steps = 0
    for index in range(600):
        problem = Steps((3, 4, 5, 6)).at(index)
        told, (start, kinds) = read(hurried(problem).demonstration), operations(problem.input)
        assert len(told) == len(kinds)
        for step, kind in zip(told, kinds, strict=True):
            assert step.start == start
            wrong += step.result != result(start, kind)
            start, steps = step.result, steps + 1
    assert wrong / steps == pytest.approx(1 / 8, abs=0.02)


def test_what_is_paid():
    world = annotated(imitation=2, questions=8)
    problem = world.train.at(0)
    other = str((int(problem.answer) + 1) % 10)
    rows = [
        Text(f"a12={problem.answer}", range(5)),
        Text(f"={other}", range(5)),
        Text(f"={other}", range(5), truncated=True),
        Text("a12", range(5)),
        Text("a12=", range(5)),
    ]
    assert world.reward([problem] * 5, rows).tolist() == pytest.approx([1, 0.1, 0, 0, 0])
    assert world.judged([problem] * 5, rows).tolist() == [1, 0, 0, 0, 0]
    assert problem.demonstration.endswith(f"={problem.answer}") and world.train.size == 512
    assert {world.test.at(i).columns["level"] for i in range(8)} == {3, 4, 5, 6}
    assert list(annotated(imitation=2, critic=True).policy.value_parameters())
