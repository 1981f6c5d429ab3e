"""What a problem showed, on the page: a thumbnail with boxes over it, a spectrogram. Reads no text but numbers.

Boxes are [x0, y0, x1, y1] in the picture's own pixels, or in shares of its sides where none is above 1. The problem's
own are drawn in ink; those that a row's text has, as four numbers in brackets, in the colour of its reward.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from rlft.report.files import Record, as_number

_URI = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+")
_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_BOX = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_MOST = 40  # boxes of one picture
_SIDE = 160  # CSS pixels of a picture's longer side

Box = tuple[float, float, float, float]


def drawn(problem: Record, said: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Each thing that a problem showed as SVG; `said` are texts of rows with their colours."""
    shown = problem.get("shown")
    items = [one for one in shown if isinstance(one, dict)] if isinstance(shown, list) else []
    # Which picture a row's boxes are in a row does not say: where there are several they are on the first.
    return tuple(svg for i, one in enumerate(items) if (svg := _svg(one, said if i == 0 else ())))


def boxes_in(text: str) -> list[Box]:
    """The boxes that a text has."""
    return [box for found in _BOX.findall(text) if (box := _box([float(word) for word in found]))]


def _svg(one: Record, said: Sequence[tuple[str, str]]) -> str:
    uri, size = one.get("uri"), one.get("size")
    if not isinstance(uri, str) or not _URI.fullmatch(uri):
        return ""
    sides = [as_number(side) for side in size] if isinstance(size, list) and len(size) == 2 else []
    if one.get("kind") != "image" or not all(side is not None and 0 < side < math.inf for side in sides) or not sides:
        words = f"spectrogram, {one.get('seconds')} s" if as_number(one.get("seconds")) is not None else "spectrogram"
        return f'<img class="seen" alt="{words}" src="{uri}">'
    wide, high = (float(side or 1) for side in sides)
    scale = _SIDE / max(wide, high)
    own = [(box, "currentColor") for box in _own(one.get("boxes"))]
    found = [(box, colour) for text, colour in said for box in boxes_in(text)]
    rects = "".join(_rect(box, colour, wide, high, scale) for box, colour in (own + found)[:_MOST])
    w, h = wide * scale, high * scale
    return (
        f'<svg class="seen" role="img" aria-label="picture of {wide:.0f} by {high:.0f} pixels" width="{w:.0f}" '
        f'height="{h:.0f}" viewBox="0 0 {w:.1f} {h:.1f}"><image href="{uri}" width="{w:.1f}" height="{h:.1f}" '
        f'preserveAspectRatio="none"/>{rects}</svg>'
    )


def _own(boxes: Any) -> list[Box]:
    """A box, or several."""
    if not isinstance(boxes, list):
        return []
    several = boxes if all(isinstance(box, list) for box in boxes) else [boxes]
    return [box for one in several if (box := _box([as_number(value) for value in one]))]


def _box(numbers: Sequence[float | None]) -> Box | None:
    known = [value for value in numbers if value is not None and math.isfinite(value)]
    return (known[0], known[1], known[2], known[3]) if len(known) == len(numbers) == 4 else None


def _rect(box: Box, colour: str, wide: float, high: float, scale: float) -> str:
    if max(box) <= 1:
        box = box[0] * wide, box[1] * high, box[2] * wide, box[3] * high
    x, y = (min(max(value, 0.0), most) * scale for value, most in ((box[0], wide), (box[1], high)))
    right, low = (min(max(value, 0.0), most) * scale for value, most in ((box[2], wide), (box[3], high)))
    place = f'x="{x:.1f}" y="{y:.1f}" width="{max(right - x, 0):.1f}" height="{max(low - y, 0):.1f}"'
    return f'<rect {place} fill="none" stroke="{colour}" stroke-width="1.5"/>'
