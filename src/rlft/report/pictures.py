"""Samples that are not text, as pictures: images as PNG, point clouds and trajectories as drawings coloured by reward.

What a row's picture cannot be made of raises ValueError; `samples` then shows the row as it stands in the file.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib.image
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rlft.report import canvas
from rlft.report.files import Record, as_number

LARGEST = 128  # pixels along an image's longer side; larger ones are averaged down
MOST_POINTS = 1500  # of one cloud, and of one path
_MAP = LinearSegmentedColormap.from_list("reward", canvas.REWARD_SCALE)

Limits = tuple[float, float, float, float]


def png(pixels: Any) -> str:
    """A data URI of an image [H W], [H W 1] or [H W 3] with values in [-1, 1]; NaN is black."""
    return "data:image/png;base64," + base64.b64encode(_encode(_bytes(_shrink(_image(pixels))))).decode("ascii")


def png_file(pixels: Any) -> bytes:
    """A PNG file of the same, of its own size: a pixel from -1 to 1 is a level from 0 to 255."""
    return _encode(_bytes(_image(pixels)))


def _image(pixels: Any) -> Float[np.ndarray, "..."]:
    image = array(pixels)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or not image.size:
        raise ValueError(f"an image is [H W], [H W 1] or [H W 3], not {list(image.shape)}")
    return image


def pixels(row: Record) -> Float[np.ndarray, "..."]:
    """A row's image in [-1, 1]: its `pixels`, or those of its `uri`, a PNG; ValueError if it has neither."""
    uri = row.get("uri")
    if not isinstance(uri, str):
        return array(row.get("pixels"))
    try:
        file = io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True))
        return array(matplotlib.image.imread(file, format="png")[..., :3]) * 2 - 1
    except (OSError, SyntaxError, ValueError, IndexError) as error:
        raise ValueError(f"no PNG: {error}") from None


def array(values: Any) -> Float[np.ndarray, "..."]:
    """Nested lists as float64; ragged ones, and those with words in them, raise ValueError."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("not a rectangular array of numbers") from None


def _shrink(image: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Mean over square blocks, so that the longer side is at most LARGEST; the last incomplete block is cropped."""
    block = math.ceil(max(image.shape[:2]) / LARGEST)
    high, wide = (max(1, size // block) for size in image.shape[:2])
    if block == 1 or min(image.shape[:2]) < block:
        return image[:: max(1, block), :: max(1, block)]
    cropped = image[: high * block, : wide * block]
    return cropped.reshape(high, block, wide, block, *image.shape[2:]).mean(axis=(1, 3))


def _bytes(image: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "h w 3"]:
    level = np.clip(np.nan_to_num(image, nan=-1.0), -1.0, 1.0)
    grey = np.round((level + 1) * 127.5).astype(np.uint8)
    return grey if grey.ndim == 3 else np.repeat(grey[:, :, None], 3, axis=2)


def _encode(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, image, format="png", metadata={"Software": "rlft"})
    return buffer.getvalue()


def colour(reward: float | None, low: float, high: float) -> str:
    """The reward's place between the least and the greatest one shown, as a hex colour; grey without a reward."""
    if reward is None or not math.isfinite(reward):
        return "#8a8a8a"
    place = 0.5 if high <= low else (reward - low) / (high - low)
    red, green, blue, _ = _MAP(place)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def path(row: Record, key: str) -> Float[np.ndarray, "n 2"]:
    """The finite (x, y) of a row's `points` or `positions`; further columns are left out."""
    points = array(row.get(key))
    if points.ndim != 2 or points.shape[1] < 2 or not len(points):
        raise ValueError(f"{key} are [n, 2], not {list(points.shape)}")
    step = math.ceil(len(points) / MOST_POINTS)
    points = points[::step, :2] if step > 1 else points[:, :2]
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise ValueError(f"{key} have no finite point")
    return points


def limits(rows: Sequence[Record], key: str) -> Limits:
    """x0, x1, y0, y1 around the paths, walls and goals of all rows, with a little room."""
    clouds = [path(row, key) for row in rows]
    for row in rows:
        clouds += [array(wall).reshape(2, 2) for wall in _walls(row)]
        clouds += [goal[None] for goal in _goals(row)]
    together = np.concatenate(clouds)
    (x0, y0), (x1, y1) = together.min(axis=0), together.max(axis=0)
    room = 0.06 * max(x1 - x0, y1 - y0, 1e-6)
    return float(x0 - room), float(x1 + room), float(y0 - room), float(y1 + room)


def cloud(rows: Sequence[Record], span: tuple[float, float], box: Limits, name: str) -> str:
    """All rows' points on one map, coloured by their row's reward, the best drawn last."""
    return canvas.inline(cloud_figure(rows, span, box), name)


def cloud_figure(rows: Sequence[Record], span: tuple[float, float], box: Limits) -> Figure:
    """The same as a figure."""
    figure, ax = canvas.square(430, box)
    for row in _worst_first(rows):
        points = path(row, "points")
        hue = colour(as_number(row.get("reward")), *span)
        size = 26.0 if len(points) == 1 else max(2.0, 60.0 / math.sqrt(len(points)))
        ax.scatter(points[:, 0], points[:, 1], s=size, c=hue, alpha=0.75, linewidths=0)
    return figure


def paths(rows: Sequence[Record], span: tuple[float, float], box: Limits, name: str) -> str:
    """All rows' paths on one map with its walls and goals: a dot where each begins, a line coloured by its reward."""
    return canvas.inline(paths_figure(rows, span, box), name)


def paths_figure(rows: Sequence[Record], span: tuple[float, float], box: Limits) -> Figure:
    """The same as a figure."""
    figure, ax = canvas.square(430, box)
    _scene(ax, rows)
    for row in _worst_first(rows):
        points = path(row, "positions")
        hue = colour(as_number(row.get("reward")), *span)
        ax.plot(points[:, 0], points[:, 1], color=hue, linewidth=1.4, alpha=0.85, solid_joinstyle="round")
        ax.plot(*points[0], marker="o", markersize=4, color=canvas.light("ink"), linestyle="")
    return figure


def lines(rows: Sequence[Record], key: str, span: tuple[float, float], box: tuple[float, float], name: str) -> str:
    """One named series of every row over time, coloured by reward; `box` are the limits of the vertical axis."""
    figure, ax = canvas.axes(430, 220)
    for row in _worst_first(rows):
        values = one_series(row, key)
        step = math.ceil(len(values) / MOST_POINTS)
        hue = colour(as_number(row.get("reward")), *span)
        ax.plot(np.arange(0, len(values), step), values[::step], color=hue, linewidth=1.2, alpha=0.85)
    ax.set_ylim(*box)
    return canvas.inline(figure, name)


def one_series(row: Record, key: str) -> Float[np.ndarray, " n"]:
    """The named series of a row."""
    table = row.get("series")
    values = array(table.get(key) if isinstance(table, dict) else None)
    if values.ndim != 1 or not np.isfinite(values).any():
        raise ValueError(f"series {key!r} is not a list of numbers")
    return values


def _worst_first(rows: Sequence[Record]) -> list[Record]:
    def rank(row: Record) -> float:
        reward = as_number(row.get("reward"))
        return reward if reward is not None and math.isfinite(reward) else -math.inf

    return sorted(rows, key=rank)


def _scene(ax: Axes, rows: Sequence[Record]) -> None:
    """Walls are rectangles from corner to corner; one without width is a line."""
    for x0, y0, x1, y1 in sorted({tuple(wall) for row in rows for wall in _walls(row)}):
        corner = (min(x0, x1), min(y0, y1))
        ink = canvas.light("slate")
        ax.add_patch(
            Rectangle(corner, abs(x1 - x0), abs(y1 - y0), facecolor=ink, edgecolor=ink, linewidth=2.0, zorder=1.5)
        )
    for x, y in sorted({tuple(goal) for row in rows for goal in _goals(row)}):
        ax.plot(x, y, marker="*", markersize=15, color=canvas.light("gold"), linestyle="", zorder=5)


def _walls(row: Record) -> list[list[float]]:
    found = row.get("walls")
    if not isinstance(found, list):
        return []
    return [[float(v) for v in wall] for wall in found if isinstance(wall, list) and _numbers(wall, 4)]


def _goals(row: Record) -> list[np.ndarray]:
    goal = row.get("goal")
    return [array(goal[:2])] if isinstance(goal, list) and _numbers(goal[:2], 2) else []


def _numbers(values: list[Any], size: int) -> bool:
    numbers = [as_number(value) for value in values]
    return len(values) == size and all(v is not None and math.isfinite(v) for v in numbers)
