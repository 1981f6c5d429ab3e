import pytest

from rlft.metrics.boxes import detections, first_box, of_value, span
from rlft.metrics.detection import Detection

RED = Detection((3.0, 4.0, 9.0, 12.0), "red disc")


def said(answer, thought=""):
    return detections(f"<think>{thought}</think> <answer>{answer}</answer>")


@pytest.mark.parametrize(
    "answer",
    [
        '[{"bbox_2d": [3, 4, 9, 12], "label": "red disc"}]',
        '{"bbox": [3, 4, 9, 12], "category": "red disc"}',
        '```json\n[{"label": "red disc", "box": [9, 12, 3, 4]}]\n```',
        '{"boxes": [[3, 4, 9, 12]], "label": "red disc"}',
    ],
)
def test_boxes_in_the_field_s_notations(answer):
    assert said(answer) == [RED]


def test_only_the_answer_is_read():
    thought = '[{"bbox_2d": [0, 0, 1, 1], "label": "no"}]'
    assert said('[{"bbox_2d": [3, 4, 9, 12], "label": "red disc"}]', thought) == [RED]
    assert detections(f"{thought}</think>None") == []
    assert first_box("<think>[0, 0, 1, 1]</think><answer>at [3, 4, 9.5, 12]</answer>") == (3, 4, 9.5, 12)
    assert first_box("<think>[0, 0, 1, 1]</think> nowhere") is None
    assert span("<answer>a</answer> no, <answer> b </answer>.") == "b"


def test_nothing_and_nonsense_are_different():
    assert said("None") == said("none.") == said("[]") == said("") == []
    assert said("somewhere") is None and said('[{"bbox_2d": [1, 2]}]') is None and said('{"x": 1}') is None
    assert said('[{"bbox_2d": [1, 2, 3, 4], "score": "high"}]') is None and said("[1, 2, 3, ") is None


def test_gold_is_read_likewise():
    assert of_value([3, 4, 9, 12]) == [Detection((3, 4, 9, 12))] and of_value(None) == []
    assert of_value([[3, 4, 9, 12], [0, 0, 1, 1]])[1].box == (0, 0, 1, 1)
    assert of_value("<answer>[3, 4, 9, 12]</answer>") == [Detection((3, 4, 9, 12))]
    with pytest.raises(ValueError, match="holds no boxes"):
        of_value("red")
    with pytest.raises(ValueError, match="is no box"):
        of_value(5)
