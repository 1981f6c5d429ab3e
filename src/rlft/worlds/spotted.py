"""What is where in a picture of shapes: all objects of some labels, or the one that a phrase means.

Two questions with one model. `objects`: every object of four labels, some of which are not there, as JSON; its teacher
now and then repeats himself or sees what is not there, at the end of his answer. `place`: one box; trained on phrases
that name a thing, tested also on those that point at it by others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rlft.measure.groups import means
from rlft.metrics.boxes import detections
from rlft.metrics.detection import average_precision, found, suppressed
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.boxes import box_ap, box_iou, box_recall, od_length
from rlft.tasks.scenes import NAMES
from rlft.tasks.shapes import DETECTION_WORDS, GROUNDING_WORDS, Family, Shapes, detection, grounding
from rlft.training.stream import Stream
from rlft.types import Problem, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons
from rlft.worlds.looking import taught
from rlft.worlds.sensing import batch

# Raised when the base would come out otherwise.
VERSION = 1
_TOKENS = {"objects": 72, "place": 8}
REWARDS = {"ap": box_ap(), "ap50": box_ap(at=0.5), "od_length": od_length(), "recall": box_recall(), "iou": box_iou()}
Rewarded = Literal["ap", "ap50", "od_length", "recall", "iou"]
# Fewer labels than there are, so that a small model knows them all.
_NAMES = [
    name for name in NAMES if name[0] in ("red", "green", "blue", "yellow") and name[1] in ("square", "disc", "cross")
]
_INSIDE, _OUTSIDE = ("name",), ("colour", "relation")


def spotted(
    asked: Literal["objects", "place"] = "objects",
    rewarded: Rewarded = "od_length",
    pictures: int = 1000,
    imitation: int = 800,
    looks: int = 1000,
    critic: bool = False,
) -> World:
    """Objects or phrases found in pictures of shapes.

    Args:
        asked: all objects of some labels, or the place that a phrase means.
        rewarded: average precision, at an overlap of a half, with too many boxes fined, the weighted sum of VLM-R1, or
            the overlap of the first box.
        pictures: problems to learn from, over and over; no more are held out.
        imitation: supervised steps of the base model, 32 questions each; fewer where they are less than 320.
        looks: supervised steps of its tower, 64 pictures each.
    """
    policy = base(asked, imitation, looks, critic)
    if asked == "objects":
        test = Shapes("objects", _objects(), "test", min(256, pictures))
        return World(
            policy, Shapes("objects", _objects(), size=pictures), test, REWARDS[rewarded], od_length(), [counted]
        )
    test = Shapes("anywhere", grounding((*_INSIDE, *_OUTSIDE), names=_NAMES), "test", min(768, pictures))
    return World(
        policy,
        Shapes("place", grounding(_INSIDE, names=_NAMES), size=pictures),
        test,
        REWARDS[rewarded],
        box_iou(),
        [split],
    )


def _objects() -> Family:
    return detection(names=_NAMES)


def counted(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """What the reward of each answer does not say. Of all pictures together:

    boxes      that were said, over those that are there
    precision  share of said boxes that have an overlap of a half or more with a free one of their label
    map        COCO's average precision
    nms        the same after boxes were taken out that overlap others, whatever their label (NMS-AP)
    """
    said = [detections(output) or [] for output in outputs]
    gold = [detections(problem.answer) or [] for problem in problems]
    true, all_said = sum(map(len, gold)), sum(map(len, said))
    hits = sum(value > 0 for ours, theirs in zip(said, gold, strict=True) for value in found(ours, theirs))
    single = [suppressed(one) for one in said]
    return {
        "boxes": all_said / true,
        "precision": hits / max(all_said, 1),
        "map": average_precision(said, gold),
        "nms": average_precision(single, gold),
    }


def split(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """The mean overlap for phrases such as were trained on, `inside`, and for others, `outside`."""
    sides = ["inside" if problem.columns["kind"] in _INSIDE else "outside" for problem in problems]
    return means(box_iou()(problems, outputs).tolist(), sides)


def base(asked: str, imitation: int, looks: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of questions; of objects a fifth as many careless ones follow."""
    family = _objects() if asked == "objects" else grounding((*_INSIDE, *_OUTSIDE), names=_NAMES)
    stream = Stream(Shapes(f"lessons-{asked}", family), seed=0)
    questions = batch(imitation)
    lessons = [Lessons(lambda step: stream.take(questions), imitation, lr=2e-3)]
    if asked == "objects":
        lessons.append(Lessons(lambda step: [*map(careless, stream.take(questions))], imitation // 5, lr=5e-4))
    name = f"spotted-{asked}-{VERSION}-{imitation}"
    words = DETECTION_WORDS if asked == "objects" else GROUNDING_WORDS
    return taught(name, words, *lessons, tokens=_TOKENS[asked], looks=looks, critic=critic)


def careless(problem: Problem) -> Problem:
    """The problem with an answer that, one time in three, says one box more: one again, or one that is not there."""
    draw = hashed("careless", problem.task, problem.index, problem.visit)
    said = [] if problem.answer == "None" else json.loads(problem.answer)
    if draw % 3 == 0:
        labels = problem.columns["labels"]
        x, y = draw // 3 % 6 * 4, draw // 18 % 6 * 4
        seen = {"bbox_2d": [x, y, x + 8, y + 8], "label": labels[draw // 108 % len(labels)]}
        said.append(said[draw // 432 % len(said)] if said and draw // 216 % 2 else seen)
    return replace(problem, answer=json.dumps(said, separators=(",", ":")) if said else "None")
