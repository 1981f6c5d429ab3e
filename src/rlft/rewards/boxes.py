"""Rewards of boxes: where a phrase is, which objects there are, which of the candidates. Rules, no detector.

An answer is read by `metrics.boxes`; gold is four numbers, a list of `{"bbox_2d": [x0, y0, x1, y1], "label": …}`, or
the same as text. VLM-R1 (Shen et al. 2025, arXiv:2504.07615) for all but `set_f1`, which is Rex-Thinker's (Jiang et
al. 2025, arXiv:2506.04034, Sec. 3.3). NaN where the gold holds no boxes; UserError where it is something else.
"""

from __future__ import annotations

from collections.abc import Callable

from rlft.metrics import detection
from rlft.metrics.boxes import detections, first_box, of_value
from rlft.metrics.detection import COCO, Detection, average_precision, found, iou
from rlft.rewards.adapt import each
from rlft.types import Problem, Reward, UserError

_NAN = float("nan")
Judge = Callable[[list[Detection], list[Detection]], float]


def box_iou(*, at: float = 0.0) -> Reward:
    """Intersection over union of the first box of the answer and the gold one, in [0, 1]; 0 without a box.

    With `at`, 1 where it is at least that, else 0.
    """

    def grounded(problem: Problem, output: str) -> float:
        gold = _gold(problem)
        if not gold:
            return _NAN
        said = first_box(output)
        value = iou(said, gold[0].box) if said else 0.0
        return float(value >= at) if at > 0 else value

    return each(grounded)


def box_ap(*, at: float | None = None) -> Reward:
    """COCO's average precision of the answer's boxes, all of one score, on one picture; of IoU 0.5 to 0.95, or `at`.

    1 where both are empty, 0 where one is. Boxes after the last right one cost nothing, nor do labels that are not
    there: a policy that is paid by it learns to say more boxes than there are. `od_length` is the cure.
    """
    return _judged(lambda said, gold: _precision(said, gold, at))


def od_length(*, at: float | None = None) -> Reward:
    """Average precision times min(1, G/P) for G gold and P predicted boxes: further boxes are no longer free."""
    return _judged(lambda said, gold: _precision(said, gold, at) * min(1.0, len(gold) / len(said) if said else 1.0))


def box_recall(*, at: float = 0.5, place: float = 0.7, complete: float = 0.3) -> Reward:
    """VLM-R1's weighted sum: place · Σ IoU of found objects / G + complete · (1 - (missed + false)/2).

    Found are pairs of one label by falling IoU down to `at`; `missed` is the share of gold boxes without a pair, and
    `false` that of predicted ones. 1 for a perfect answer, 0 where nothing is found; 1 where both are empty.
    """

    def weighted(said: list[Detection], gold: list[Detection]) -> float:
        if not said or not gold:
            return float(len(said) == len(gold))
        values = found(said, gold, at)
        hits = sum(value > 0 for value in values)
        wrong = (1 - hits / len(gold) + 1 - hits / len(said)) / 2
        return place * sum(values) / len(gold) + complete * (1 - wrong)

    return _judged(weighted)


def set_f1(*, at: float = 1.0) -> Reward:
    """F1 of the answer's boxes as a set of candidates: 2PR/(P + R), of boxes that have an IoU of `at` with a gold one.

    1 where both are empty, 0 where one is; a box that is said twice makes it 0. The order of both is without meaning.
    """

    return _judged(lambda said, gold: detection.set_f1(said, gold, at))


def _precision(said: list[Detection], gold: list[Detection], at: float | None) -> float:
    if not said or not gold:
        return float(len(said) == len(gold))
    return average_precision([said], [gold], COCO if at is None else (at,))


def _judged(judge: Judge) -> Reward:
    """A reward of all boxes; an answer that holds none in a readable form earns 0."""

    def reward(problem: Problem, output: str) -> float:
        if problem.answer is None:
            return _NAN
        gold, said = _gold(problem), detections(output)
        return 0.0 if said is None else judge(said, gold)

    return each(reward)


def _gold(problem: Problem) -> list[Detection]:
    try:
        return of_value(problem.answer)
    except ValueError as error:
        raise UserError(
            f"{problem.task} {problem.index}: its answer {error}; expected [x0, y0, x1, y1], or a list of "
            '{"bbox_2d": [x0, y0, x1, y1], "label": …}, as JSON or as text'
        ) from None
