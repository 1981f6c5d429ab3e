"""Abstention by hand."""

import pytest

from rlft.measure.boxes import abstention
from rlft.types import Problem, Text

HERE, THERE, LOST = [0, 0, 8, 8], [16, 16, 24, 24], [8, 8, 16, 16]


def measured(*pairs):
    problems = [Problem(i, "", gold) for i, (gold, _) in enumerate(pairs)]
    return abstention(problems, [Text(f"<answer>{said}</answer>") for _, said in pairs])


def test_abstention_by_hand():
    told = measured(
        ([HERE, THERE], [THERE, HERE]),  # 1
        ([HERE], [HERE, LOST]),  # F1 2/3, twice as many as there are
        ([HERE, THERE], [HERE]),  # F1 2/3, no more than there are
        ([HERE], "None"),  # 0, abstained
        ("None", "None"),
        ("None", [HERE]),
        ("None", "what?"),  # neither boxes nor none
    )
    assert told["density_f1"] == pytest.approx((1 + 1 / 3 + 2 / 3 + 0) / 4)
    assert told["false_abstention"] == 1 / 4 and told["rejection"] == 1 / 3 and told["readable"] == 6 / 7


def test_what_no_question_is_about_is_left_out():
    assert set(measured(([HERE], [HERE]))) == {"readable", "density_f1", "false_abstention"}
    assert measured(("None", "None")) == {"readable": 1, "rejection": 1}
    # What is thought is not answered.
    text = Text(f"<think>{[HERE]}</think><answer>None</answer>")
    assert abstention([Problem(0, "", "None")], [text])["rejection"] == 1
