"""What is counted of boxes and phrases, and the teacher that says a box too many."""

import json

import pytest

from rlft.metrics.boxes import detections
from rlft.tasks.shapes import Shapes, detection
from rlft.types import Problem, Text
from rlft.worlds.spotted import careless, counted, split

HERE, THERE = [0, 0, 8, 8], [16, 16, 24, 24]


def said(*boxes, label="red disc"):
    return json.dumps([{"bbox_2d": box, "label": label} for box in boxes]) if boxes else "None"


def test_counts_over_all_pictures():
    problems = [Problem(0, "", said(HERE)), Problem(1, "", said(HERE, THERE)), Problem(2, "", "None")]
    # A second box on the same place; one of two; one where nothing is.
    outputs = [Text(said(HERE, [0, 0, 8, 7])), Text(said(THERE)), Text(said(HERE))]
    told = counted(problems, outputs)
    assert told["boxes"] == 4 / 3 and told["precision"] == 2 / 4
    # By order: hit, false, hit, false of three; without the second box hit, hit, false.
    assert told["map"] == pytest.approx((34 + 33 * 2 / 3) / 101) and told["nms"] == pytest.approx(67 / 101)
    assert counted(problems, [Text("no"), Text("None"), Text("None")])["boxes"] == 0


def test_overlap_by_kind_of_phrase():
    kinds = ("name", "name", "relation")
    problems = [Problem(i, "", "[0,0,8,8]", {"kind": kind}) for i, kind in enumerate(kinds)]
    told = split(problems, [Text("[0,0,8,8]"), Text("there"), Text("[0,0,8,4]")])
    assert told == {"inside": 0.5, "outside": 0.5}
    assert split(problems[:2], [Text(""), Text("")]) == {"inside": 0}


def test_the_teacher_says_a_box_too_many_one_time_in_three():
    problems = [Shapes("found", detection()).at(index) for index in range(300)]
    more = [(detections(careless(p).answer), detections(p.answer)) for p in problems]
    assert all(right == said[: len(right)] and len(said) - len(right) in (0, 1) for said, right in more)
    longer = [(said, right) for said, right in more if len(said) > len(right)]
    assert 75 < len(longer) < 125
    assert 20 < sum(said[-1] in right for said, right in longer) < 80
