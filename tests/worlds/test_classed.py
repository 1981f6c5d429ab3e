"""Names of known and of new classes, what is paid for them, and the teacher that says another one."""

import pytest

from rlft.tasks.scenes import COLOURS, SHAPES
from rlft.tasks.shapes import Shapes, classes
from rlft.types import Problem, Text
from rlft.worlds.classed import KNOWN, NEW, Halves, answered, by_half, harmonic, rewards, spent


def test_every_colour_and_shape_is_in_both_halves():
    assert len(KNOWN) == len(NEW) == 15 and not set(KNOWN) & set(NEW)
    for half in (KNOWN, NEW):
        assert {name[0] for name in half} == set(COLOURS) and {name[1] for name in half} == set(SHAPES)


def test_held_out_pictures_are_of_both_halves_in_turn():
    problems = [Halves("what is it", 0.0).at(index) for index in range(40)]
    for index, problem in enumerate(problems):
        held = tuple(problem.answer.split())
        assert problem.index == index and (held in NEW) == problem.columns["new"] == bool(index % 2)


def test_the_harmonic_mean_of_both_halves():
    assert harmonic(0.5, 1.0) == pytest.approx(2 / 3) and harmonic(0.0, 0.0) == 0.0
    problems = [Problem(i, "", "red disc", {"new": i > 1}) for i in range(6)]
    said = ["red disc", "blue disc", "<answer>Red Disc</answer>", "red disc", "red disc", "disc"]
    outputs = [Text(text, range(i)) for i, text in enumerate(said)]
    told = by_half(problems, outputs)
    assert told == {"known": 0.5, "new": 0.75, "harmonic": pytest.approx(0.6)}
    assert spent(problems, outputs) == {"tokens": 2.5}


def earned(mode, problems, texts):
    told = rewards(mode)(problems, [Text(text) for text in texts])
    return sum(told.values()).tolist() if isinstance(told, dict) else told.tolist()


@pytest.mark.parametrize(
    ("mode", "text", "paid"),
    [
        ("direct", "red disc", 1.0),
        ("direct", "a red disc", 0.0),
        ("direct", "Red disc", 0.0),
        ("direct", "<answer>red disc</answer>", 0.0),
        ("think", "<think>red</think><answer>Red disc</answer>", 2.0),
        ("think", "<think>red</think><answer>blue disc</answer>", 1.0),
        ("think", "red disc", 1.0),
        ("think", "<answer>red disc</answer><think>red</think>", 1.0),
        ("explain", "<answer>red disc</answer><think>red</think>", 2.0),
    ],
)
def test_what_is_paid(mode, text, paid):
    assert earned(mode, [Problem(0, "", "red disc")], [text]) == [paid]


def test_the_teacher_says_another_name_two_times_in_five():
    problems = [Shapes("named", classes()).at(index) for index in range(300)]
    for mode in ("direct", "think", "explain"):
        said = [answered(problem, mode, slips=True) for problem in problems]
        assert 90 < sum(one.answer != problem.answer for one, problem in zip(said, problems, strict=True)) < 150
        right = [answered(problem, mode, slips=False) for problem in problems]
        assert [one.answer for one in right] == [problem.answer for problem in problems]
        # What is said behind it has the form too, whatever it says.
        assert set(earned(mode, said, [one.demonstration for one in said])) == {1.0 if mode == "direct" else 2.0}
