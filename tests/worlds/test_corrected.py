"""Questions with a sign that is passed over, terse references, corrections, and what is measured of them, by hand."""

from collections import Counter
from dataclasses import replace

import pytest

from rlft.collect.interventions import interventions
from rlft.methods.int_grpo import int_grpo
from rlft.types import Problem, Text
from rlft.worlds.corrected import (
    HARD,
    WORDING,
    Knots,
    base,
    by_knots,
    by_rule,
    careless,
    concluded,
    corrected,
    errors,
    heard,
    mended,
    mending,
    mending_lesson,
    operations,
    reference,
    result,
    ruled,
    spoken,
    told,
)

QUESTION = "7a+4b#3c-2d#4="


def test_by_hand():
    assert operations(QUESTION) == (7, ["+4", "#3", "-2", "#4"])
    assert told(QUESTION) == ["a1", "b8", "c6", "d2"]
    assert concluded(told(QUESTION), QUESTION) == "822"
    assert reference(QUESTION) == "b8d2=822" and reference("1a+1b+1c+1d+1=") == "=5"
    assert spoken(told(QUESTION), QUESTION) == "a1;b8;c6;d2;=822"
    assert heard("a1;b8;c;d2;=2") == ["a1", "b8"] and heard("=3") == []
    assert result(1, "-3") == result(1, "#3") == 8


def test_questions():
    task = Knots((0, 2, 3), size=90, split="test")
    for index in range(90):
        problem = task.at(index)
        kinds = operations(problem.input)[1]
        assert len(kinds) == 4 and sum(kind in HARD for kind in kinds) == (0, 2, 3)[index % 3]
        assert problem.columns["knots"] == (0, 2, 3)[index % 3]
        assert len(problem.answer) == problem.columns["knots"] + 1 and problem.demonstration.endswith(problem.answer)
        assert problem.answer == concluded(told(problem.input), problem.input)
    assert task.reward([task.at(0)], [f"={task.at(0).answer}"])[0] == 1
    assert {task.at(i).input for i in range(90)}.isdisjoint({Knots((0, 2, 3)).at(i).input for i in range(300)})


def test_the_teacher():
    """One easy step in 24 is wrong; one hard one in 16 is right, the others are passed over; both are gone on from."""
    found = Counter()
    for draw in range(2000):
        start, steps = 7, careless(QUESTION, draw)
        assert steps == careless(QUESTION, draw)
        for step, kind in zip(steps, operations(QUESTION)[1], strict=True):
            come = int(step[1:])
            assert kind not in HARD or come in (result(start, kind), start)
            found[kind in HARD, come == result(start, kind)] += 1
            start = come
    assert found[True, True] / 4000 == pytest.approx(1 / 16, abs=0.015)
    assert found[False, False] / 4000 == pytest.approx(1 / 24, abs=0.015)


def test_mended():
    assert mended(QUESTION, "a1;b1;c9;d9;=199") == ("a1;", "b8;")
    assert mended(QUESTION, "b1;b4;=06") == ("", "a1;")
    assert mended(QUESTION, "a1;b8;=8") is None and mended(QUESTION, "a1;b8;c6;d2;=0") is None
    problem = Knots((4,)).at(0)
    found = by_rule(None, [problem, problem], [spoken(told(problem.input), problem.input), "a0;"], 0)
    assert found[0] is None and (found[1] is None) == (told(problem.input)[0] == "a0")


def test_lessons():
    """What is asked is what the method asks, and the reply is read as the correction."""
    read = 0
    for index in range(40):
        problem = Knots((1, 2, 3)).at(index)
        lesson = mending_lesson(problem)
        if lesson.input == problem.input:
            continue
        attempt = lesson.input.removeprefix(problem.input).partition("/")[0]
        assert lesson.input == WORDING.question(problem, attempt).input
        assert WORDING.read(attempt, lesson.demonstration) == mended(problem.input, attempt) is not None
        read += 1
    assert read > 25


def test_by_knots():
    problems = [Problem(i, "", columns={"knots": knots}) for i, knots in enumerate((0, 1, 2, 4))]
    outputs = [Text("a1;b2;c3;d4;=1"), Text("=1"), Text("=1"), Text("a1;b2;c3;d4;=0")]
    reward = lambda problems, outputs: [float(str(o).endswith("1")) for o in outputs]  # noqa: E731
    assert by_knots(reward)(problems, outputs) == {"easy": 1, "hard": 0.5, "spoken": 0.5}


def test_what_is_read_off_the_base():
    policy = base(2)
    rows = ["a1;b1;c9;d9;=199", "a1;b8;c6;d2;=822"]
    asked = [Problem(i, QUESTION, "822", demonstration=reference(QUESTION)) for i in range(2)]
    drawn = policy.sample(asked, 1, 0)
    policy.sample = lambda problems, group, seed: replace(drawn, outputs=[Text(row) for row in rows])
    failed = errors(policy, asked)
    assert failed == [((asked[0], "a1;", "b1;", "b8;"), rows[0])]
    for reply, found in (("2:b8", (1, 1, 1)), ("2:b7", (1, 1, 0)), ("1:b8", (1, 0, 0)), ("x", (0, 0, 0))):
        policy.sample = lambda problems, group, seed, reply=reply: type("Rows", (), {"outputs": [reply]})
        assert tuple(mending(failed)(policy).values()) == found


def test_a_rule_in_place_of_the_model():
    method = int_grpo(3, prefix="given")
    other = ruled(method)
    assert other.collect is not method.collect and other.updates is method.updates
    assert interventions.__name__ in other.collect.__qualname__
    world = corrected(imitation=2, questions=10, corrector="rule")
    assert world.adapted is ruled and corrected(imitation=2, questions=10).adapted(method) is method
    assert world.test.size == 10 and {world.train.at(i).columns["knots"] for i in range(4)} == {3, 4}
    assert replace(world.test.at(0), index=1) != world.test.at(1)
