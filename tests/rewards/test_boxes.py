import math

import pytest

from rlft.rewards.boxes import box_ap, box_iou, box_recall, od_length, set_f1
from rlft.types import Problem, UserError

HERE, THERE, LOST = [0, 0, 4, 4], [10, 10, 14, 14], [20, 20, 24, 24]


def paid(reward, said, gold):
    text = (
        f"<answer>{said}</answer>" if isinstance(said, str) else f"<answer>{objects(said)}</answer>".replace("'", '"')
    )
    return float(reward([Problem(0, "where?", gold)], [text])[0])


def objects(boxes, label="a"):
    return [{"bbox_2d": box, "label": label} for box in boxes]


def test_the_box_of_a_phrase():
    assert paid(box_iou(), "[0, 0, 4, 3]", HERE) == 0.75
    assert paid(box_iou(at=0.5), "[0, 0, 4, 3]", HERE) == 1 and paid(box_iou(at=0.8), "[0, 0, 4, 3]", HERE) == 0
    assert paid(box_iou(), "there", HERE) == 0 and paid(box_iou(), objects([HERE, THERE]), [THERE]) == 0
    assert math.isnan(paid(box_iou(), "[0, 0, 4, 3]", None))


def test_further_boxes_are_free_of_charge_unless_their_number_counts():
    gold, ten = objects([HERE]), [HERE, *[LOST] * 9]
    assert paid(box_ap(), ten, gold) == 1
    assert paid(od_length(), ten, gold) == pytest.approx(0.1) and paid(od_length(), [HERE], gold) == 1
    assert paid(od_length(), [HERE], objects([HERE, THERE])) == pytest.approx(51 / 101)
    # As they cost something when they come first, order matters to the one and to the other.
    assert paid(box_ap(), [LOST, HERE], gold) == 0.5 and paid(od_length(), [LOST, HERE], gold) == 0.25
    assert paid(box_ap(at=0.75), [[0, 0, 4, 3]], gold) == 1
    assert paid(box_ap(), [[0, 0, 4, 3]], gold) == pytest.approx(0.6)


@pytest.mark.parametrize("reward", [box_ap(), od_length(), box_recall(), set_f1()])
def test_nothing_is_right_where_nothing_is(reward):
    assert paid(reward, "None", []) == 1 and paid(reward, "[]", "None") == 1
    assert paid(reward, [HERE], []) == 0 and paid(reward, "None", objects([HERE])) == 0
    assert paid(reward, "somewhere", objects([HERE])) == 0 and paid(reward, [HERE, THERE], objects([THERE, HERE])) == 1
    assert math.isnan(paid(reward, "None", None))
    with pytest.raises(UserError, match="expected"):
        paid(reward, "None", "left of the tree")


def test_weighted_sum_by_hand():
    # One of two found with IoU 0.75, one of three predicted right: 0.7·0.375 + 0.3·(1 - (1/2 + 2/3)/2).
    value = paid(box_recall(), [[0, 0, 4, 3], LOST, LOST], objects([HERE, THERE]))
    assert value == pytest.approx(0.7 * 0.375 + 0.3 * (1 - (1 / 2 + 2 / 3) / 2))
    assert paid(box_recall(), [LOST], objects([HERE])) == 0
    assert paid(box_recall(), [HERE], objects([HERE], label="b")) == 0


def test_set_f1_by_hand():
    gold = [HERE, THERE]
    assert paid(set_f1(), [HERE], gold) == pytest.approx(2 / 3)
    assert paid(set_f1(), [HERE, LOST], gold) == 0.5 and paid(set_f1(), [LOST], gold) == 0
    assert paid(set_f1(), [HERE, HERE], gold) == 0
    assert (
        paid(set_f1(), [[0, 0, 4, 3], THERE], gold) == 0.5 and paid(set_f1(at=0.75), [[0, 0, 4, 3], THERE], gold) == 1
    )
