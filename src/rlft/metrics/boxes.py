"""Boxes that a text speaks of: what stands in the answer of a completion, and what a data file gives as gold.

    <think>…</think><answer>[{"bbox_2d": [3, 4, 9, 12], "label": "red disc"}]</answer>

Only the answer's span is read, never what was thought before it. Not a judge of boxes: see `metrics.detection`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlft.metrics.detection import Box, Detection, Side

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^```\w*\s*|\s*```$")
_NUMBER = r"-?\d+(?:\.\d+)?"
_FOUR = re.compile(rf"[\[(]\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*[\])]")
# What the field calls a box and what is in it.
_BOXES = ("bbox_2d", "bbox", "box", "box_2d", "boxes", "bboxes")
_LABELS = ("label", "category", "class", "name", "category_name")
_NOTHING = ("", "none", "null", "[]", "no objects")


def span(text: str) -> str:
    """The answer of a completion: inside its last `<answer>`, else behind its last `</think>`, else all of it."""
    if tagged := _ANSWER.findall(text):
        return tagged[-1].strip()
    _, _, after = text.rpartition("</think>")
    return after.strip()


def first_box(text: str) -> Box | None:
    """The first four numbers in brackets that stand in the answer, as a grounded phrase is answered; None without."""
    found = _FOUR.search(span(text))
    return _box([float(word) for word in found.groups()]) if found else None


def detections(text: str) -> list[Detection] | None:
    """All boxes of the answer with their labels; none where it says None or an empty list, and None where it is no
    JSON of boxes. A box is a list of four numbers, an object that has one under one of the usual names (`bbox_2d`,
    `bbox`, `box`), or an object of lists of them."""
    answer = _FENCE.sub("", span(text)).strip()
    if answer.lower().rstrip(".") in _NOTHING:
        return []
    try:
        return of_value(json.loads(answer))
    except ValueError:
        return None


def of_value(value: Any) -> list[Detection]:
    """What a gold answer or parsed JSON holds. ValueError for anything else than boxes; a text is read as `detections`
    reads it."""
    if value is None:
        return []
    if isinstance(value, str):
        read = detections(value)
        if read is None:
            raise ValueError(f"{value!r:.80} holds no boxes")
        return read
    return list(_held(value, ""))


def _held(value: Any, label: str) -> Iterator[Detection]:
    if isinstance(value, Mapping):
        label = next((str(value[name]) for name in _LABELS if name in value), label)
        name = next((name for name in _BOXES if name in value), None)
        if name is None:
            raise ValueError(f"{value!r:.80} has no box under {', '.join(_BOXES)}")
        score = value.get("score", 1.0)
        if not isinstance(score, int | float):
            raise ValueError(f"{score!r:.40} is no score")
        for one in _held(value[name], label):
            yield Detection(one.box, label, float(score))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) == 4 and all(type(side) in (int, float) for side in value):
            yield Detection(_box(value), label)
        else:
            for one in value:
                yield from _held(one, label)
    else:
        raise ValueError(f"{value!r:.80} is no box")


def _box(sides: Sequence[Side]) -> Box:
    """The corners in order, whichever two were given."""
    x0, y0, x1, y1 = sides
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
