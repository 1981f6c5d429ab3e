"""What is counted of answers to pictures from above, who answered carelessly, and what the tower is shown."""

import random
from collections import Counter

import numpy as np
import pytest

from rlft.tasks.aerial import ACROSS, ANSWERS, GROUPS, PLOT, Aerial, anywhere, belongs
from rlft.tasks.tagged import Tagged, right
from rlft.types import Problem, Text
from rlft.worlds.looking import PATCH, SIDE
from rlft.worlds.surveyed import SENSE, careless, of_group, told


def test_what_is_told_of_answers():
    kinds = ("colour", "presence", "count")
    problems = [Problem(i, "", "yes", {"kind": kind}) for i, kind in enumerate(kinds) for _ in range(4)]
    outputs = (
        ["<answer>yes</answer>"] * 3
        + ["yes"]
        + ["<answer>no</answer>", "no", "yes", "<answer>yes"]
        + ["1", "2", "3", "4"]
    )
    found = told(problems, [Text(output) for output in outputs])
    # Two answers to the first; `<answer>yes` is no answer of its own form, and not the word.
    assert found == {
        "colour": 1.0, "presence": 1 / 4, "count": 0.0, "attribute": 5 / 8, "object": 0.0,
        "format": 4 / 12, "distinct": (1 + 3 + 4) / 3,
    }  # fmt: skip


def test_a_group_has_problems_of_its_kinds_alone_the_same_as_among_all():
    task = Tagged(Aerial(each=4))
    parts = {name: of_group(task, name) for name in GROUPS}
    assert {name: part.size for name, part in parts.items()} == {"attribute": 12, "object": 8, "spatial": 12}
    seen = {str(task.at(i).columns) for i in range(task.size)}
    for name, part in parts.items():
        problems = [part.at(i) for i in range(part.size)]
        assert {problem.columns["kind"] for problem in problems} == set(GROUPS[name])
        assert {str(problem.columns) for problem in problems} <= seen
        assert all(problem.demonstration == f"<answer>{problem.answer}</answer>" for problem in problems)


def test_the_teacher_is_wrong_one_time_in_five_and_without_tags_one_in_five():
    problems = [
        Problem(i, "", "yes" if i % 2 else "3", {"kind": "presence" if i % 2 else "count", "question": ""})
        for i in range(2000)
    ]
    lessons = [(p, careless(p)) for p in problems]
    bare = [one.demonstration.removeprefix("<answer>").removesuffix("</answer>") for _, one in lessons]
    wrong = Counter(word for (p, _), word in zip(lessons, bare, strict=True) if word != p.answer)
    assert 340 < sum(wrong.values()) < 460 and set(wrong) == {"no", "1", "2", "4"}
    assert 340 < sum("<" not in one.demonstration for _, one in lessons) < 460
    assert (
        all(one.answer == p.answer for p, one in lessons) and right(problems[0]).demonstration == "<answer>3</answer>"
    )


def test_what_the_tower_is_shown():
    assert (SIDE, PATCH) == (ACROSS * PLOT, PLOT)
    pixels, classes = SENSE.glances(1)
    assert pixels.shape == (64, 3, SIDE, SIDE) and classes.shape == (64, 16, 4)
    assert np.isin(classes[..., 3].numpy(), [-100, 0, 1]).all()
    assert all(int(classes[..., k].max()) == count - 1 for k, count in enumerate(SENSE.classes))
    draw = random.Random(0)
    assert all(belongs(one, "train") for one in (anywhere(draw) for _ in range(20)) if one is not None)


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_kind_is_in_one_group(kind):
    assert sum(kind in kinds for kinds in GROUPS.values()) == 1
