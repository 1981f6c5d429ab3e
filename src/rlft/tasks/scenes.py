"""Scenes of coloured shapes: what is in one, and its picture of a few hundred pixels. Procedural: no file is read.

Every attribute of a scene is known, so any question about it has a known answer without another renderer. What is asked
is `tasks.shapes`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt8

from rlft.tasks.drawn import pictured

Corners = tuple[int, int, int, int]
SHAPES = ("square", "disc", "ring", "cross", "bar")
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 230),
    "yellow": (230, 210, 50),
    "purple": (160, 60, 200),
    "white": (240, 240, 240),
}
NAMES = tuple(itertools.product(COLOURS, SHAPES))
_GROUND = (24, 24, 32)


@dataclass(frozen=True)
class Thing:
    """A shape of one colour. It fills its box (x0, y0, x1, y1), in pixels, the corner at x1, y1 not included."""

    shape: str
    colour: str
    box: Corners

    @property
    def name(self) -> str:
        """Colour and shape: `red disc`."""
        return f"{self.colour} {self.shape}"

    @property
    def area(self) -> int:
        """Of its box, in pixels."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    @property
    def middle(self) -> tuple[float, float]:
        """Of its box, x and y."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class Scene:
    """Things that do not overlap, in the order of their left edges, on a square ground of `size` pixels.

    `noise` is the standard deviation of what is added to each channel, on a scale of 0 to 255, and `key` what it is
    drawn from.
    """

    things: tuple[Thing, ...]
    size: int = 32
    noise: float = 12.0
    key: int = 0

    def picture(self) -> UInt8[np.ndarray, "size size 3"]:
        """The pixels, rows from the top."""
        pixels = np.empty((self.size, self.size, 3))
        pixels[:] = _GROUND
        for thing in self.things:
            x0, y0, x1, y1 = thing.box
            pixels[y0:y1, x0:x1][_filled(thing.shape, x1 - x0, y1 - y0)] = COLOURS[thing.colour]
        draws = np.random.Generator(np.random.PCG64(self.key))
        return (pixels + self.noise * draws.standard_normal(pixels.shape)).clip(0, 255).astype(np.uint8)

    @property
    def content(self) -> tuple[object, ...]:
        """See `drawn.Sensed`."""
        return ("scene", *self.things)

    def columns(self) -> dict[str, Any]:
        """`things`: their boxes and names."""
        return {"things": [{"bbox_2d": list(one.box), "label": one.name} for one in self.things]}

    def part(self) -> dict[str, Any]:
        """The picture."""
        return pictured(self.picture())

    def patches(self, side: int) -> Int[np.ndarray, "patches 5"]:
        """Of each patch of `side` pixels, row by row: which name the thing has that covers most of it, from 1 in the
        order of `NAMES`, and its box; 0 and -100, which no loss counts, where there is none."""
        told = np.full((self.size // side, self.size // side, 5), -100)
        told[..., 0] = 0
        covered = np.zeros(told.shape[:2], dtype=int)
        edges = np.arange(0, self.size, side)
        for thing in self.things:
            x0, y0, x1, y1 = thing.box
            wide = (np.minimum(x1, edges + side) - np.maximum(x0, edges)).clip(0)
            high = (np.minimum(y1, edges + side) - np.maximum(y0, edges)).clip(0)
            shared = high[:, None] * wide
            told[shared > covered] = [NAMES.index((thing.colour, thing.shape)) + 1, *thing.box]
            covered = np.maximum(covered, shared)
        return told.reshape(-1, 5)


@cache
def _filled(shape: str, width: int, height: int) -> Bool[np.ndarray, "height width"]:
    """Which pixels of its box a shape fills; each touches all four sides."""
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = ((np.arange(height) + 0.5) / height * 2 - 1)[:, None]
    round_ = x**2 + y**2
    forms = {
        "square": np.ones((height, width), dtype=bool),
        "disc": round_ <= 1.1,
        "ring": (round_ <= 1.1) & (round_ >= 0.25),
        "cross": (abs(x) <= 0.4) | (abs(y) <= 0.4),
        "bar": (abs(y) >= 0.4) & (x < 2),
    }
    return forms[shape]


def scattered(names: Sequence[tuple[str, str]], draw: random.Random, size: int = 32, key: int = 0) -> Scene | None:
    """Things of these colours and shapes at places of their own, with a pixel between them; None where they found no
    room. Each is 8 or 12 pixels wide and high, and all corners are on every fourth pixel."""
    boxes: list[Corners] = []
    for _ in range(60):
        if len(boxes) == len(names):
            break
        width, height = draw.choice((8, 12)), draw.choice((8, 12))
        x, y = draw.randrange(0, size - width + 1, 4), draw.randrange(0, size - height + 1, 4)
        box = (x, y, x + width, y + height)
        if all(_apart(box, other) for other in boxes):
            boxes.append(box)
    if len(boxes) < len(names):
        return None
    things = [Thing(shape, colour, box) for (colour, shape), box in zip(names, boxes, strict=True)]
    return Scene(tuple(sorted(things, key=lambda thing: (thing.box[0], thing.box[1]))), size, key=key)


def tiled(names: Sequence[tuple[str, str]], draw: random.Random, size: int = 32, cell: int = 8, key: int = 0) -> Scene:
    """Things of these colours and shapes that fill cells of a grid, each one of its own: room for many, and what a
    tower of such patches sees best."""
    corners = list(itertools.product(range(0, size, cell), repeat=2))
    boxes = [(x, y, x + cell, y + cell) for x, y in draw.sample(corners, len(names))]
    things = [Thing(shape, colour, box) for (colour, shape), box in zip(names, boxes, strict=True)]
    return Scene(tuple(sorted(things, key=lambda thing: (thing.box[0], thing.box[1]))), size, key=key)


def _apart(a: Corners, b: Corners) -> bool:
    return a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
