import contextlib
import io
import math
import random

import pytest

from rlft.metrics.detection import COCO, Detection, average_precision, density_f1, found, iou, set_f1, suppressed

HERE, THERE = (0.0, 0.0, 4.0, 4.0), (10.0, 10.0, 14.0, 14.0)
NOWHERE = (20.0, 20.0, 24.0, 24.0)


def boxes(*where, label="a", score=1.0):
    return [Detection(box, label, score) for box in where]


def test_intersection_over_union():
    assert iou(HERE, HERE) == 1 and iou(HERE, THERE) == 0
    assert iou((0, 0, 4, 2), (2, 1, 6, 3)) == pytest.approx(2 / 14)
    assert iou((2, 1, 6, 3), (0, 0, 4, 2)) == iou((20, 10, 60, 30), (0, 0, 40, 20))
    assert iou((1, 1, 1, 1), (1, 1, 1, 1)) == 0
    assert iou((0, 0, 2, 2), (2, 0, 4, 2)) == 0


@pytest.mark.parametrize(
    ("predicted", "true", "value"),
    [
        (boxes(HERE), boxes(HERE), 1.0),
        (boxes(HERE, *[NOWHERE] * 9), boxes(HERE), 1.0),  # what follows the last hit is free
        (boxes(NOWHERE, HERE), boxes(HERE), 0.5),
        (boxes(HERE, NOWHERE, THERE), boxes(HERE, THERE), (51 + 50 * 2 / 3) / 101),
        (boxes(HERE), boxes(HERE, THERE), 51 / 101),
        (boxes(HERE, HERE), boxes(HERE, THERE), 51 / 101),  # a box is found once
        (boxes(HERE, label="b"), boxes(HERE), 0.0),
        (boxes(HERE) + boxes(THERE, label="b"), boxes(HERE), 1.0),  # so is a label that is nowhere
        (boxes(HERE), boxes(HERE) + boxes(THERE, label="b"), 0.5),
        ([], boxes(HERE), 0.0),
    ],
)
def test_average_precision_of_one_image(predicted, true, value):
    assert average_precision([predicted], [true]) == pytest.approx(value, abs=1e-12)


def test_nothing_to_find_is_no_number():
    assert math.isnan(average_precision([boxes(HERE)], [[]]))


def test_a_loose_box_counts_up_to_its_overlap():
    # IoU 0.8 of 0.5, 0.55 … 0.95: seven of ten.
    assert average_precision([boxes((0, 0, 4, 3.2))], [boxes(HERE)]) == pytest.approx(0.7)
    assert average_precision([boxes((0, 0, 4, 3.2))], [boxes(HERE)], thresholds=(0.5,)) == 1


def test_suppression_is_blind_to_labels():
    close = (0.0, 0.0, 4.0, 3.0)
    said = [*boxes(HERE, label="a", score=0.5), *boxes(close, label="b", score=0.9), *boxes(THERE, label="b")]
    assert [one.box for one in suppressed(said)] == [THERE, close]
    assert len(suppressed(said, overlap=0.75)) == 3


def test_found_pairs_the_best_first():
    true = boxes(HERE, (0.0, 0.0, 4.0, 3.0))
    assert found(boxes((0.0, 0.0, 4.0, 3.0), HERE), true) == [1.0, 1.0]
    assert found(boxes((0.0, 0.0, 4.0, 3.0)), true) == [0.0, 1.0]
    assert found(boxes(HERE, label="b"), boxes(HERE)) == [0.0]
    assert found(boxes((0.0, 0.0, 4.0, 1.6)), boxes(HERE)) == [0.0] and found([], []) == []


@pytest.mark.parametrize("seed", range(30))
def test_average_precision_is_that_of_pycocotools(seed):
    """Random boxes on a small grid, so that overlaps and scores tie, images are empty, labels are missing."""
    rng = random.Random(seed)

    def some(most, scores):
        return [
            Detection((x := rng.randrange(6), y := rng.randrange(6), x + rng.randint(1, 4), y + rng.randint(1, 4)),
                      rng.choice("abc"), rng.choice(scores))
            for _ in range(rng.randrange(most))
        ]  # fmt: skip

    true = [some(5, [1.0]) for _ in range(4)]
    predicted = [some(9, [0.25, 0.5, 1.0]) for _ in range(4)]
    ours, theirs = average_precision(predicted, true), _theirs(predicted, true)
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)
    assert average_precision(predicted, true, COCO[:1]) >= ours or math.isnan(ours)


def _theirs(predicted, true):
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")

    def entries(images, first):
        places = [(image, one) for image, held in enumerate(images, 1) for one in held]
        return [
            {"id": i, "image_id": image, "category_id": "abc".index(one.label) + 1, "score": one.score, "iscrowd": 0,
             "bbox": [one.box[0], one.box[1], one.box[2] - one.box[0], one.box[3] - one.box[1]],
             "area": (one.box[2] - one.box[0]) * (one.box[3] - one.box[1])}
            for i, (image, one) in enumerate(places, first)
        ]  # fmt: skip

    gold = coco.COCO()
    gold.dataset = {
        "images": [{"id": image} for image in range(1, len(true) + 1)],
        "categories": [{"id": i, "name": name} for i, name in enumerate("abc", 1)],
        "annotations": entries(true, 1),  # from 1: an annotation with id 0 is never counted as found there
    }
    with contextlib.redirect_stdout(io.StringIO()):
        gold.createIndex()
        if not entries(true, 1):
            return math.nan
        if not entries(predicted, 1):
            return 0.0
        run = evaluation.COCOeval(gold, gold.loadRes(entries(predicted, 1)), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats[0]


def test_sets_of_boxes_and_their_density():
    one, two, three = boxes(HERE), boxes(HERE, THERE), boxes(HERE, THERE, NOWHERE)
    assert set_f1(one, two) == density_f1(one, two) == pytest.approx(2 / 3)
    assert set_f1(three, one) == 0.5 and density_f1(three, one) == pytest.approx(0.5 / 3)
    assert set_f1(boxes(NOWHERE), one) == density_f1(boxes(NOWHERE), two) == 0
    for same in (set_f1, density_f1):
        assert same(two[::-1], two) == same([], []) == 1
        assert same([], one) == same(one, []) == same(boxes(HERE, HERE), one) == 0
    wide = boxes((0.0, 0.0, 4.0, 3.0))
    assert set_f1(wide, one) == 0 and set_f1(wide, one, at=0.75) == 1
