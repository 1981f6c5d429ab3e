"""What a teacher of films writes, how a careless one slips, what is counted, and what the base is shown."""

from collections import Counter

import pytest

from rlft.models.small_language import word_tokenizer
from rlft.tasks.films import frames_of
from rlft.tasks.moving_shapes import ACTS, HOBBY, KITCHEN, PLANS, MovingShapes
from rlft.types import Problem, Text
from rlft.worlds.filming import (
    EVIDENCE,
    LENGTH,
    WORDS,
    Levels,
    Shown,
    careless,
    following,
    lesson,
    seen,
    told,
    written,
)

TOLD = {"frames": 8, "length": LENGTH, "evidence": EVIDENCE, "answer": "word"}


def test_what_follows_in_a_plan():
    assert following("tea", []) == "flash" and following("tea", ["flash", "ring"]) == "dim"
    assert following("tea", ["dim"]) == "flash"  # behind the last the first
    assert written(["flash"], "grow") == "<think> flash; grow</think><answer> grow</answer>"
    assert written([], "ring", "dim") == "<think>; ring</think><answer> dim</answer>"


@pytest.mark.parametrize("level", ["L1", "L2", "L3"])
def test_eight_frames_show_every_act_and_the_oracle_is_right(level):
    task = MovingShapes(level, "test", **TOLD)
    for index in range(60):
        problem = task.at(index)
        assert frames_of(problem) == 8 and following(problem.columns["plan"], seen(problem)) == problem.answer
        assert seen(problem) == [name for name, _, _ in problem.columns["acts"]]


def test_levels_come_in_turn_and_no_film_of_them_is_trained_on():
    problems = [Levels(20, 8).at(index) for index in range(60)]
    assert [one.columns["level"] for one in problems] == ["L1", "L2", "L3"] * 20
    assert [one.index for one in problems] == [*range(60)] and {one.split for one in problems} == {"test"}
    answers = Counter(one.answer for one in problems)
    assert set(answers) == set(ACTS) and max(answers.values()) < 28
    for one in problems:
        assert one.columns["plan"] in (HOBBY if one.columns["level"] == "L3" else KITCHEN)


def test_a_teacher_who_overlooks_acts_is_right_all_the_same():
    task = MovingShapes("L1", size=60, **TOLD)
    sure, rash = Shown(task, 0.0), Shown(task, 0.5)
    overlooked = 0
    for index in range(60):
        problem = rash.at(index)
        assert problem.demonstration.endswith(f"; {problem.answer}</think><answer> {problem.answer}</answer>")
        whole = sure.at(index).demonstration
        assert whole == written(seen(problem), problem.answer)
        overlooked += problem.demonstration != whole
    assert 5 < overlooked < 40


def test_a_careless_teacher_slips_in_three_ways():
    task = MovingShapes("all", **TOLD)
    problems = [task.at(index) for index in range(400)]
    texts = [careless(problem).demonstration for problem in problems]
    whole = [written(seen(problem), problem.answer) for problem in problems]
    measured = told(problems, [*map(Text, texts)])
    assert 0.8 < measured["consistent"] < 0.87 and measured["thought"] == 1.0  # 5/6
    assert 0.5 < measured["seen"] < 0.68  # (1 + .7 + .7² + .7³) / 4 = .63
    assert 0.3 < sum(text == one for text, one in zip(texts, whole, strict=True)) / 400 < 0.6


def test_what_is_told_of_answers():
    task = {level: MovingShapes(level, "test", **TOLD) for level in ("L1", "L3")}
    problems = [task[level].at(index) for level in task for index in (0, 1)]
    right = [written(seen(one), one.answer) for one in problems]
    other = next(act for act in ACTS if act != problems[3].answer)
    outputs = [
        *right[:2],
        f"<answer> {problems[2].answer}</answer>",
        written(seen(problems[3]), problems[3].answer, other),
    ]
    found = told(problems, [*map(Text, outputs)])
    assert found == {"L1": 1.0, "L3": 0.5, "gap": 0.5, "seen": 0.75, "consistent": 2 / 3, "thought": 0.75}


def test_every_lesson_can_be_read_and_said():
    known = word_tokenizer(WORDS)
    for kind in ("frames", "acts", "order", "next", "careless"):
        for index in range(4):
            problem = lesson(kind, index)
            text = str(problem.demonstration or problem.answer)
            assert known.decode(known(text).input_ids[1:]) == text
            if kind == "order":
                assert problem.input == f"{problem.input.split(',')[0]}, order?"
                assert text.split() == list(PLANS[problem.input.split(",")[0]])
            if kind == "frames":
                assert len(text.split()) == frames_of(problem)
    assert Problem(0, "", "").demonstration is None
