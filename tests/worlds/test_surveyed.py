"""What is counted of answers to pictures from above, what a careless teacher sees, and what the base is shown."""

import random

import numpy as np
import pytest

from rlft.metrics.boxes import span
from rlft.models.small_language import word_tokenizer
from rlft.tasks.aerial import ACROSS, ANSWERS, GROUPS, PLOT, WORDS, Aerial, anywhere, belongs
from rlft.tasks.plots import THOUGHT_WORDS
from rlft.types import Problem, Text
from rlft.worlds.looking import PATCH, SIDE
from rlft.worlds.surveyed import SENSE, Shown, answered, careless, lesson, misseen, of_group, told


def test_what_is_told_of_answers():
    kinds = ("colour", "presence", "count")
    problems = [Problem(i, "", "yes", {"kind": kind}) for i, kind in enumerate(kinds) for _ in range(4)]
    right = "<think> car a1</think><answer>yes</answer>"
    outputs = [right] * 3 + ["yes"] + [right.replace("yes", "no"), "no", "yes", "<answer>yes"] + ["1", "2", "3", "4"]
    found = told(problems, [Text(output) for output in outputs])
    # Two answers to the first, none of them another word; `<answer>yes` is no answer of its own form, and not the word.
    assert found == {
        "colour": 1.0, "presence": 1 / 4, "count": 0.0, "attribute": 5 / 8, "object": 0.0,
        "format": 4 / 12, "distinct": (1 + 3 + 4) / 3,
    }  # fmt: skip


SEEN = [
    {"kind": "car", "colour": "red", "large": False, "upright": False, "at": [0, 0]},
    {"kind": "tree", "colour": None, "large": False, "upright": False, "at": [2, 0]},
    {"kind": "roof", "colour": "blue", "large": True, "upright": False, "at": [1, 1]},
]
PROBLEM = Problem(0, "", "2", {"kind": "count", "question": "count the tree?", "plots": ["grass"] * 16, "things": SEEN})


def test_three_ways_to_misread_a_picture():
    draw = random.Random(0)
    assert misseen(PROBLEM, 0.0, draw) == SEEN
    seen = [misseen(PROBLEM, 1.0, draw) for _ in range(3000)]
    # Each is left out, is of another kind, or is where a thing is, itself one time in three.
    assert sum(len(things) for things in seen) / 9000 == pytest.approx(2 / 3, abs=0.02)
    assert sum(one in SEEN for things in seen for one in things) / 9000 == pytest.approx(1 / 9, abs=0.015)
    for things in seen:
        assert [one["at"][::-1] for one in things] == sorted(one["at"][::-1] for one in things)
        assert all((one["colour"] is None) == (one["kind"] == "tree") for one in things)
        assert all(one["at"] in ([0, 0], [2, 0], [1, 1]) for one in things)
    some = [misseen(PROBLEM, 0.3, draw) for _ in range(1000)]
    # What is seen as it is: seven times in ten, and where it was mistaken for itself.
    assert sum(one in SEEN for things in some for one in things) / 3000 == pytest.approx(0.7 + 0.3 / 9, abs=0.03)


def test_what_is_answered_by_who_sees_so_much():
    assert answered(PROBLEM, SEEN) == ("<think> tree c1 1</think><answer>1</answer>", "1")
    assert answered(PROBLEM, SEEN[:1], "4") == ("<think> tree none</think><answer>4</answer>", "4")


def test_the_teacher_imitated_is_right_whatever_he_thinks():
    sure, rash = Shown(Aerial(each=30), 0.0), Shown(Aerial(each=30), 0.5)
    said = [(sure.at(i), rash.at(i)) for i in range(sure.size)]
    assert all(span(one.demonstration) == one.answer == span(two.demonstration) for one, two in said)
    whole = [answered(one, one.columns["things"])[0] for one, _ in said]
    assert [one.demonstration for one, _ in said] == whole
    others = sum(two.demonstration != text for (_, two), text in zip(said, whole, strict=True))
    assert 0.1 < others / len(said) < 0.5 and rash.at(3) == rash.at(3)


def test_a_group_has_problems_of_its_kinds_alone_the_same_as_among_all():
    task = Shown(Aerial(each=4), 0.3)
    parts = {name: of_group(task, name) for name in GROUPS}
    assert {name: part.size for name, part in parts.items()} == {"attribute": 12, "object": 8, "spatial": 12}
    seen = {(str(task.at(i).columns), task.at(i).demonstration) for i in range(task.size)}
    for name, part in parts.items():
        problems = [part.at(i) for i in range(part.size)]
        assert {problem.columns["kind"] for problem in problems} == set(GROUPS[name])
        assert {(str(problem.columns), problem.demonstration) for problem in problems} <= seen


def test_the_base_is_shown_one_answer_in_five_without_tags_and_one_in_ten_that_does_not_follow():
    task = Aerial(("quadrant",), series="careless")
    lessons = [(p, careless(p)) for p in map(task.at, range(1000))]
    texts = [one.demonstration for _, one in lessons]
    assert all(text.startswith("<think>") for text in texts)
    assert sum("<answer>" not in text for text in texts) / 1000 == pytest.approx(0.2, abs=0.04)
    # He sees it where it is 0.7 + 0.1/things of the time, or guesses; and says another word of the four then, 1 in 10.
    assert (
        0.6 < sum(span(text) == p.answer for p, text in zip((p for p, _ in lessons), texts, strict=True)) / 1000 < 0.78
    )
    assert all(one.answer == p.answer for p, one in lessons)


def test_lessons_before_any_question_are_in_words_of_the_list():
    tokenizer = word_tokenizer((*WORDS, *THOUGHT_WORDS))
    for part, question in (("all", "name?"), ("kinds", "list?"), ("far", None)):
        for index in range(20):
            problem = lesson(part, index)
            asked = problem.input[0]["content"][1]["text"]
            assert asked == question or asked.removeprefix("list ").rstrip("?") in ("car", "bus", "boat", "roof")
            tokens = tokenizer(problem.answer)["input_ids"][1:]
            assert tokenizer.decode(tokens) == problem.answer and len(tokens) < 80
            assert lesson(part, index).answer == problem.answer != lesson(part, index + 1).answer


def test_what_the_tower_is_shown():
    assert (SIDE, PATCH) == (ACROSS * PLOT, PLOT)
    pixels, classes = SENSE.glances(1)
    assert pixels.shape == (64, 3, SIDE, SIDE) and classes.shape == (64, 16, 5)
    assert np.isin(classes[..., 3].numpy(), [-100, 0, 1]).all()
    assert all(int(classes[..., k].max()) == count - 1 for k, count in enumerate(SENSE.classes))
    draw = random.Random(0)
    assert all(belongs(one, "train") for one in (anywhere(draw) for _ in range(20)) if one is not None)


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_kind_is_in_one_group(kind):
    assert sum(kind in kinds for kinds in GROUPS.values()) == 1
