"""A problem's rows in one picture, as a PNG file: images side by side, points and trajectories on a map. No page."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlft.report.files import Record, as_number

_GAP = 2  # pixels between two images


def sheet(rows: Sequence[Record]) -> bytes | None:
    """The rows that can be drawn; None where none can, or where images are not of one size."""
    for draw in (_images, _points, _paths):
        try:
            found = draw(rows)
        except ValueError:
            found = None
        if found is not None:
            return found
    return None


def _images(rows: Sequence[Record]) -> bytes | None:
    kept = [row for row in rows if row.get("kind") == "image"]
    if not kept:
        return None
    from rlft.report import pictures

    found = [pictures.pixels(row) for row in kept]
    images = [image[:, :, None] if image.ndim == 2 else image for image in found]
    images = [np.repeat(image, 3, axis=2) if image.shape[2:] == (1,) else image for image in images]
    if any(image.shape != images[0].shape for image in images):
        return None
    blank = np.ones((images[0].shape[0], _GAP, 3))
    parts: list[Any] = [part for image in images for part in (image, blank)]
    return pictures.png_file(np.concatenate(parts[:-1], axis=1))


def _points(rows: Sequence[Record]) -> bytes | None:
    kept = [row for row in rows if row.get("points") is not None]
    if not kept:
        return None
    from rlft.report import pictures

    return _file(pictures.cloud_figure(kept, _span(kept), pictures.limits(kept, "points")))


def _paths(rows: Sequence[Record]) -> bytes | None:
    kept = [row for row in rows if row.get("positions") is not None]
    if not kept:
        return None
    from rlft.report import pictures

    return _file(pictures.paths_figure(kept, _span(kept), pictures.limits(kept, "positions")))


def _span(rows: Sequence[Record]) -> tuple[float, float]:
    rewards = [reward for row in rows if (reward := as_number(row.get("reward"))) is not None]
    known = [reward for reward in rewards if math.isfinite(reward)]
    return (min(known), max(known)) if known else (0.0, 1.0)


def _file(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    figure.patch.set(alpha=1.0, facecolor="white")
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": "rlft"})
    return buffer.getvalue()
