"""The schooling of the base, and what is paid for an answer and its form."""

import pytest

from rlft.metrics.boxes import detections
from rlft.metrics.detection import set_f1
from rlft.tasks.candidates import Candidates
from rlft.worlds.referred import FAMILY, FORMS, judging, mixed, naming, paid


@pytest.fixture(scope="module")
def lessons():
    task = Candidates("lessons", family=FAMILY)
    return [(problem := task.at(index), mixed(problem)) for index in range(400)]


def test_first_is_named_what_is_there(lessons):
    for problem, _ in lessons[:40]:
        lesson = naming(problem)
        hints = problem.columns["question"].partition(" among")[2].removesuffix(" think")
        assert lesson.columns["question"] == f"name{hints}"
        for number, thing in enumerate(problem.columns["things"], 1):
            assert f" {number}:{thing['bbox_2d']} {thing['label']}".replace(", ", ",") in lesson.lesson
        assert "yes" not in lesson.lesson


def test_half_of_the_last_lessons_judge_what_is_there(lessons):
    judged = [(p, lesson) for p, lesson in lessons if lesson.columns["question"].startswith("name ")]
    assert abs(len(judged) - 200) < 50
    for problem, lesson in judged:
        assert lesson == judging(problem)
        assert lesson.columns["question"].count(" among") == 1
        told, _, answer = lesson.lesson.partition("<answer>")
        marks = [word for word in told.split() if word in ("yes", "no")]
        assert marks == ["yes" if fits else "no" for fits in problem.columns["fits"]]
        assert "<" not in told and answer == f"{problem.answer}</answer>"


def test_the_rest_is_answered_carelessly(lessons):
    rest = [(p, lesson) for p, lesson in lessons if lesson.columns["question"].startswith("find ")]
    thinking = [lesson for _, lesson in rest if lesson.columns["question"].endswith(" think")]
    assert abs(len(thinking) - 100) < 40
    assert all(lesson.lesson.startswith("<think> ") for lesson in thinking)
    assert not any(" yes" in lesson.lesson or " no" in lesson.lesson for _, lesson in rest)
    slips = {True: [], False: []}
    for problem, lesson in rest:
        said, gold = detections(lesson.lesson), detections(problem.answer)
        assert len({one.box for one in said} ^ {one.box for one in gold}) <= 1
        slips[bool(gold)].append(set_f1(said, gold) < 1)
    assert abs(sum(slips[True]) / len(slips[True]) - 1 / 3) < 0.13
    assert abs(sum(slips[False]) / len(slips[False]) - 1 / 2) < 0.22


def test_nine_tenths_are_for_the_set_and_one_for_the_form():
    problem = Candidates("lessons", family=FAMILY).at(0)
    wrong = "<think></think><answer>[[0,0,1,1]]</answer>"
    said = [problem.demonstration, problem.answer, wrong, "what?"]
    assert sum(paid("thought")([problem] * 4, said).values()).tolist() == pytest.approx([1, 0.9, 0.1, 0])
    bare = f"<answer>{problem.answer}</answer>"
    assert sum(paid("answer")([problem] * 2, [bare, problem.answer]).values()).tolist() == pytest.approx([1, 0.9])
    assert set(FORMS) == {"thought", "answer"}
