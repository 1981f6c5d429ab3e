"""A teacher with gaps, what is told of programs by their level, and a world that asks for its jail."""

import random
from collections import Counter

import pytest
import torch

from rlft.sandbox.jail import here
from rlft.tasks.lists import OPERATIONS, Lists, program
from rlft.types import Problem, Text, UserError
from rlft.worlds.programmed import base, by_level, hardest, known, mistaken, programmed, written


def test_what_the_teacher_writes():
    """Right as often as it is known; four slips in five are the next of its kind, the others any operation."""
    draw = random.Random(0)
    for name, rate, neighbour in (
        ("sort", 0.95, "reverse"),
        ("ranks", 0.14, "running sums"),
        ("drop the last", 0.6, "negate"),
    ):
        assert known(name) == rate
        found = Counter(written(name, draw.getrandbits(60)) for _ in range(4000))
        expected = {name: rate + (1 - rate) / 5 / 22, neighbour: (1 - rate) * (4 / 5 + 1 / 5 / 22)}
        for line, share in expected.items():
            assert found[line] / 4000 == pytest.approx(share, abs=4 * (share * (1 - share) / 4000) ** 0.5), (name, line)
        assert len(found) > 10


def test_how_well_each_operation_is_known():
    rates = {kind: [known(name) for name, one in OPERATIONS.items() if one.kind == kind] for kind in "abc"}
    assert set(rates["a"]) == {0.95} and set(rates["b"]) == {0.6}
    assert sorted(set(rates["c"])) == [0.14, 0.18, 0.22, 0.28, 0.34, 0.4] and len(rates["c"]) == 12


def test_its_lessons_are_programs_of_the_same_question():
    task = Lists()
    problems = [task.at(index) for index in range(300)]
    lessons = [mistaken(problem) for problem in problems]
    assert [mistaken(problem) for problem in problems] == lessons
    assert all((a.input, a.answer) == (b.input, b.answer) for a, b in zip(problems, lessons, strict=True))
    lengths = [
        (len(a.answer.splitlines()), len(b.demonstration.splitlines())) for a, b in zip(problems, lessons, strict=True)
    ]
    assert all(one == other for one, other in lengths)
    right = {level: [] for level in range(1, 6)}
    for lesson in lessons:
        right[lesson.columns["level"]].append(lesson.demonstration == lesson.answer)
    shares = {level: sum(found) / len(found) for level, found in right.items()}
    assert shares[1] > 0.85 and shares[2] > 0.75 and 0.35 < shares[3] < 0.75 and shares[4] < 0.2 > shares[5]


def test_by_level():
    def reward(problems, outputs):
        return torch.tensor([float(output) for output in outputs])

    problems = [Problem(index, "", columns={"level": level}) for index, level in enumerate((2, 4, 5, 5))]
    outputs = ["1", "0", "1", "1", "0", "1", "0", "0"]
    measure = by_level(reward)
    rows = [problem for problem in problems for _ in range(2)]
    assert measure(rows, [Text(output) for output in outputs]) == {
        "level-2": 0.5, "level-4": 1.0, "level-5": 0.25,
        "hard": 0.5, "hard/any": 2 / 3, "hard/mixed": 1 / 3,
    }  # fmt: skip
    assert measure(rows[:2], [Text("1"), Text("1")]) == {"level-2": 1.0}


def test_a_base_that_has_begun_writes_programs():
    problems = [Lists((1, 2)).at(index) for index in range(8)]
    outputs = base(60).sample(problems, 4, seed=0).outputs
    heads = sum(str(output).startswith(program([])[:30]) for output in outputs)
    assert heads > 24


def test_without_a_jail_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    here.cache_clear()
    with pytest.raises(UserError, match="apt-get install bubblewrap"):
        programmed(imitation=60)
    here.cache_clear()


def test_the_hard_ones_of_a_task():
    task = Lists(size=40)
    indices = [index for index in range(40) if task.at(index).columns["level"] > 3]
    assert hardest(task, 5).indices == indices[:5] and hardest(task, 400).indices == indices
    with pytest.raises(UserError, match=r"of the 9 problems of lists-12 none is of the levels \(4, 5\)"):
        hardest(Lists((1, 2), 9), 5)
