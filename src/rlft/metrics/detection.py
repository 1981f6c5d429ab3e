"""Detection: intersection over union and COCO's average precision, on boxes as they are, with no file and no model.

Boxes are (x0, y0, x1, y1) with x0 ≤ x1, y0 ≤ y1, in any one unit. Lin et al. 2014, arXiv:1405.0312, and the evaluation
that goes with it, whose numbers these are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Side = int | float
Box = tuple[Side, Side, Side, Side]
COCO = tuple(0.5 + 0.05 * place for place in range(10))  # IoU at which a box is found
_RECALLS = np.linspace(0.0, 1.0, 101)
_MOST = 100  # detections of an image and label that count


@dataclass(frozen=True)
class Detection:
    """A box, what is in it, and how sure one is of it; of a true box the score says nothing."""

    box: Box
    label: str = ""
    score: Side = 1.0


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]; 0 where neither has an area."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = _area(a) + _area(b) - shared
    return shared / union if union > 0 else 0.0


def _area(box: Box) -> Side:
    return (box[2] - box[0]) * (box[3] - box[1])


def average_precision(
    predicted: Sequence[Sequence[Detection]],
    true: Sequence[Sequence[Detection]],
    thresholds: Sequence[float] = COCO,
) -> float:
    """COCO's mAP over images: the mean over labels that are somewhere true, and over IoU thresholds, of

        AP = 1/101 Σ_{r = 0, .01, … 1} max_{recall(k) ≥ r} precision(k)

    where k counts detections of the label over all images by falling score, ties as they were given. A detection is a
    true positive if it has an IoU of at least the threshold with a true box that no earlier detection of its image has,
    and it takes the best of them. Detections of labels that are nowhere true cost nothing, and neither do those behind
    the last true positive: with equal scores, as a language model's boxes have, further boxes are free. NaN where
    nothing is true. `predicted` and `true` have one sequence for each image.
    """
    labels = {one.label for image in true for one in image}
    values = [_of_label(predicted, true, label, tuple(thresholds)) for label in sorted(labels)]
    return math.fsum(values) / len(values) if values else math.nan


def _of_label(
    predicted: Sequence[Sequence[Detection]],
    true: Sequence[Sequence[Detection]],
    label: str,
    thresholds: tuple[float, ...],
) -> float:
    scores, hits, count = [], [], 0
    for ours, theirs in zip(predicted, true, strict=True):
        wanted = [one.box for one in theirs if one.label == label]
        found = sorted((one for one in ours if one.label == label), key=lambda one: -one.score)[:_MOST]
        count += len(wanted)
        scores += [one.score for one in found]
        overlaps = [[iou(one.box, box) for box in wanted] for one in found]
        hits += list(zip(*(_matched(overlaps, limit) for limit in thresholds), strict=True))
    if not hits:
        return 0.0
    order = np.argsort(-np.array(scores), kind="stable")
    right = np.array(hits, dtype=float)[order].cumsum(0)  # [k thresholds]
    recall, precision = right / count, right / np.arange(1, len(hits) + 1)[:, None]
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.mean([_integral(recall[:, t], precision[:, t]) for t in range(len(thresholds))]))


def _matched(overlaps: list[list[float]], threshold: float) -> list[bool]:
    """Which detections, in their order, find a box that is still free; of equal ones the last is taken."""
    free, found = set(range(len(overlaps[0]) if overlaps else 0)), []
    for row in overlaps:
        best = max(free, key=lambda box: (row[box], box), default=None)
        hit = best is not None and row[best] >= min(threshold, 1 - 1e-10)
        if hit:
            free.remove(best)  # type: ignore[arg-type]
        found.append(hit)
    return found


def _integral(recall: np.ndarray, precision: np.ndarray) -> float:
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(precision, 0.0)[places].mean())


def suppressed(detections: Sequence[Detection], overlap: float = 0.5) -> list[Detection]:
    """Non-maximum suppression whatever the label: the detections, by falling score, that do not overlap one that stays
    by more than this IoU.

    Average precision after it (NMS-AP, as in OVDEval, arXiv:2308.13177) is not raised by saying every label of a place.
    """
    kept: list[Detection] = []
    for one in sorted(detections, key=lambda one: -one.score):
        if all(iou(one.box, other.box) <= overlap for other in kept):
            kept.append(one)
    return kept


def found(predicted: Sequence[Detection], true: Sequence[Detection], at: float = 0.5) -> list[float]:
    """Of each true box the IoU with the detection of its label that found it, 0 where none did: pairs are taken by
    falling IoU, each box once, down to `at`."""
    pairs = [
        (iou(one.box, box.box), -i, -j)
        for i, one in enumerate(predicted)
        for j, box in enumerate(true)
        if one.label == box.label
    ]
    taken: set[int] = set()
    values = [0.0] * len(true)
    for value, i, j in sorted(pairs, reverse=True):
        if value >= at and i not in taken and not values[-j]:
            taken.add(i)
            values[-j] = value
    return values


def set_f1(predicted: Sequence[Detection], true: Sequence[Detection], at: float = 1.0) -> float:
    """F1 = 2PR/(P + R) of two sets of boxes, whatever their labels: P is the share of predicted boxes that have an IoU
    of `at` or more with a true one, R that of true ones with a predicted one.

    1 where both are empty, 0 where one is; 0 where a box is predicted twice. The order of both is without meaning.
    """
    if not predicted or not true:
        return float(len(predicted) == len(true))
    if len({one.box for one in predicted}) < len(predicted):
        return 0.0
    right = sum(max(iou(one.box, box.box) for box in true) >= at for one in predicted)
    known = sum(max(iou(one.box, box.box) for one in predicted) >= at for box in true)
    precision, recall = right / len(predicted), known / len(true)
    return 2 * precision * recall / (precision + recall) if right else 0.0


def density_f1(predicted: Sequence[Detection], true: Sequence[Detection], at: float = 1.0) -> float:
    """F1 · min(1, T/P) for T true and P predicted boxes, of RexSeek (Jiang et al. 2025, arXiv:2503.08507): naming all
    there are in a crowd is fined. `set_f1` where there are no more predicted than true."""
    return set_f1(predicted, true, at) * min(1.0, len(true) / max(len(predicted), 1) if true else 1.0)
