"""Maps of free and occupied cells: read from files, cut into rooms, measured. Nothing moves here.

A map is a boolean array [H W], True where one can stand; cell (y, x) has the number y·W + x. One moves between cells
that share a side. Nothing beyond the array is free.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from rlft.errors import UserError

FAR = 10**6  # steps to where there is no way


@dataclass(frozen=True)
class Plan:
    """A map that was read: its cells, the side of one in metres, and where the lower left corner of the array is.

    Row 0 is at the top of the picture, as ROS draws it: y grows upwards in the world, downwards in the array.
    """

    free: Bool[np.ndarray, "H W"]
    side: float = 1.0
    origin: tuple[float, float] = (0.0, 0.0)

    def cell(self, x: float, y: float) -> int:
        """The number of the cell at this place of the world; `UserError` outside."""
        height, width = self.free.shape
        column, row = int((x - self.origin[0]) // self.side), height - 1 - int((y - self.origin[1]) // self.side)
        if not (0 <= column < width and 0 <= row < height):
            raise UserError(f"({x:g}, {y:g}) lies outside the map, {width * self.side:g} by {height * self.side:g}")
        return row * width + column


def read_plan(path: Path, side: float | None = None) -> Plan:
    """The map in a file: `.npy`, or the `.yaml` of ROS's map_server with its `.pgm`.

    An array's cells are free where they are 0 or False (an occupancy grid; -1 is unknown, and not free). A pixel p of a
    PGM is occupied with probability (255 - p)/255, or p/255 with `negate: 1`, and free below `free_thresh`.

    side  of the cells that are made of it, in metres, such as the robot's width: a cell is free where all that it
          covers is; None leaves it as it is. An array's cells are 1 m.
    """
    if path.suffix == ".npy":
        try:
            values = np.load(path)
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read the map {path}: {error}") from None
        if values.ndim != 2:
            raise UserError(f"a map is an array of two axes; {path} has the shape {values.shape}")
        plan = Plan(values == 0)
    elif path.suffix in (".yaml", ".yml"):
        plan = _ros(path)
    else:
        raise UserError(f"a map is a .npy array or the .yaml of ROS's map_server, not {path.name!r}")
    return plan if side is None else coarser(plan, side)


def _ros(path: Path) -> Plan:
    """The few flat lines that map_server writes: no parser of all of YAML is needed."""
    try:
        told = dict(re.findall(r"^(\w+):\s*(.+?)\s*$", path.read_text(), re.MULTILINE))
        picture = _pgm((path.parent / told["image"].strip("\"'")).read_bytes())
        origin = [float(word) for word in told.get("origin", "[0, 0, 0]").strip("[]").split(",")]
        side, bound = float(told["resolution"]), float(told.get("free_thresh", 0.196))
        negated = bool(int(told.get("negate", 0)))
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path} is no map of map_server, with image, resolution and origin: {error}") from None
    occupied = (picture if negated else 255 - picture) / 255
    return Plan(occupied < bound, side, (origin[0], origin[1]))


def _pgm(data: bytes) -> Int[np.ndarray, "H W"]:
    """A PGM, binary (P5) or in words (P2), of at most 255 levels, as numbers of 0 to 255."""
    found = re.match(rb"(P[25])\s+(?:#.*\n\s*)*(\d+)\s+(?:#.*\n\s*)*(\d+)\s+(?:#.*\n\s*)*(\d+)\s", data)
    if found is None or int(found[4]) > 255:
        raise ValueError("its image is no PGM of one byte a pixel")
    width, height, most = int(found[2]), int(found[3]), int(found[4])
    rest = data[found.end() :]
    pixels = np.frombuffer(rest, np.uint8) if found[1] == b"P5" else np.array(rest.split(), dtype=np.int64)
    if len(pixels) < width * height:
        raise ValueError(f"its image has {len(pixels)} pixels, not {width} x {height}")
    return pixels[: width * height].reshape(height, width).astype(np.int64) * 255 // most


def coarser(plan: Plan, side: float) -> Plan:
    """The same map in larger cells, as many of the old ones on a side as fit best; free where all of them are."""
    times = max(round(side / plan.side), 1)
    height, width = plan.free.shape
    padded = np.zeros((-(-height // times) * times, -(-width // times) * times), bool)
    padded[-height:, :width] = plan.free  # the lower left corner stays where it is
    shape = (padded.shape[0] // times, times, padded.shape[1] // times, times)
    free = np.asarray(padded.reshape(shape).all(axis=(1, 3)))
    return Plan(free, plan.side * times, plan.origin)


def rooms(free: Bool[np.ndarray, "H W"], door: int = 1, least: int = 4) -> Int[np.ndarray, "H W"]:
    """Free space in rooms, numbered from 0 in reading order; -1 where nothing is free.

    Places where a square of door + 1 cells fits are a room's, and stay together where it can be pushed from one to the
    other: no door of `door` cells lets it through. What is left, doors and corners, goes to the nearest room by steps
    (to the lower number of two). A room of fewer than `least` cells joins the one that it touches most; free space
    without any such place is a room of its own.
    """
    height, width = free.shape
    size = door + 1
    fits = np.zeros_like(free)
    if height >= size and width >= size:
        fits[: height - door, : width - door] = np.lib.stride_tricks.sliding_window_view(free, (size, size)).all((2, 3))
    kernels = components(fits)
    found = np.full(free.shape, -1)
    for y, x in zip(*np.nonzero(fits), strict=True):
        square = found[y : y + size, x : x + size]
        square[square < 0] = kernels[y, x]
    found = grown(found, free)
    left = components(free & (found < 0))
    found = np.where(left >= 0, left + found.max() + 1, found)
    return _numbered(_joined(found, least))


def components(marked: Bool[np.ndarray, "H W"]) -> Int[np.ndarray, "H W"]:
    """Cells that are joined by their sides, numbered from 0 in reading order; -1 elsewhere."""
    found, count = np.full(marked.shape, -1), 0
    flat, around = found.ravel(), neighbours(marked)
    for first in np.flatnonzero(marked.ravel()).tolist():
        if flat[first] >= 0:
            continue
        flat[first], waiting = count, [first]
        while waiting:
            for cell in around[waiting.pop()]:
                if flat[cell] < 0:
                    flat[cell] = count
                    waiting.append(cell)
        count += 1
    return found


def grown(labels: Int[np.ndarray, "H W"], free: Bool[np.ndarray, "H W"]) -> Int[np.ndarray, "H W"]:
    """Labels spread over free cells, a step at a time; of several that come at once the lowest stays."""
    found, none = labels.copy(), np.iinfo(labels.dtype).max
    while True:
        padded = np.pad(np.where(found < 0, none, found), 1, constant_values=none)
        near = np.minimum.reduce([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
        new = free & (found < 0) & (near < none)
        if not new.any():
            return found
        found[new] = near[new]


def _joined(labels: Int[np.ndarray, "H W"], least: int) -> Int[np.ndarray, "H W"]:
    """The smallest room joins the neighbour with the longest border, until none is too small that has one."""
    labels = labels.copy()
    alone: set[int] = set()
    while True:
        names, sizes = np.unique(labels[labels >= 0], return_counts=True)
        small = [(int(s), int(n)) for n, s in zip(names, sizes, strict=True) if s < least and int(n) not in alone]
        if not small:
            return labels
        name = min(small)[1]
        pairs = [(labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])]
        touched = np.concatenate([b[(a == name) & (b >= 0) & (b != name)] for p in pairs for a, b in (p, p[::-1])])
        if len(touched):
            labels[labels == name] = np.bincount(touched).argmax()
        else:
            alone.add(name)


def _numbered(labels: Int[np.ndarray, "H W"]) -> Int[np.ndarray, "H W"]:
    names, first = np.unique(labels, return_index=True)
    order = [int(names[i]) for i in np.argsort(first) if names[i] >= 0]
    table = {name: place for place, name in enumerate(order)} | {-1: -1}
    return np.vectorize(table.__getitem__, otypes=[np.int64])(labels)


def neighbours(free: Bool[np.ndarray, "H W"]) -> list[list[int]]:
    """For each free cell the free ones beside it: north, west, east, south; nothing for the others."""
    height, width = free.shape
    flat = free.ravel().tolist()
    found: list[list[int]] = [[] for _ in flat]
    for cell in np.flatnonzero(free.ravel()).tolist():
        x = cell % width
        near = (
            cell - width if cell >= width else -1,
            cell - 1 if x else -1,
            cell + 1 if x < width - 1 else -1,
            cell + width if cell < (height - 1) * width else -1,
        )
        found[cell] = [one for one in near if one >= 0 and flat[one]]
    return found


def distances(around: Sequence[Sequence[int]], start: int) -> list[int]:
    """Steps from a cell to every other, `FAR` where there is no way. `around` are the neighbours of each."""
    found = [FAR] * len(around)
    found[start], edge, steps = 0, [start], 0
    while edge:
        steps += 1
        new = []
        for cell in edge:
            for near in around[cell]:
                if found[near] == FAR:
                    found[near] = steps
                    new.append(near)
        edge = new
    return found


class Sight:
    """What is seen from a cell: all within `reach` steps of Euclid that no occupied cell hides, walls included.

    A cell is hidden if the straight line to it, sampled once a step along its longer axis and rounded, passes through
    an occupied one before it.
    """

    def __init__(self, free: Bool[np.ndarray, "H W"], reach: int):
        self.height, self.width = free.shape
        self.reach = reach
        self.blocked = np.pad(~free, reach, constant_values=True).ravel()
        self.wide = self.width + 2 * reach
        self._seen: dict[int, frozenset[int]] = {}

    def of(self, cell: int) -> frozenset[int]:
        """The numbers of the cells that are seen from this one, itself included."""
        if cell not in self._seen:
            self._seen[cell] = self._of(cell)
        return self._seen[cell]

    def _of(self, cell: int) -> frozenset[int]:
        y, x = divmod(cell, self.width)
        targets, between = _rays(self.reach)
        centre = (y + self.reach) * self.wide + x + self.reach
        hidden = self.blocked[centre + between[..., 0] * self.wide + between[..., 1]]
        hidden &= (between != 0).any(axis=-1)
        ys, xs = (targets[~hidden.any(axis=1)] + (y, x)).T
        inside = (ys >= 0) & (ys < self.height) & (xs >= 0) & (xs < self.width)
        return frozenset((ys[inside] * self.width + xs[inside]).tolist())


@lru_cache(maxsize=8)
def _rays(reach: int) -> tuple[Int[np.ndarray, "M 2"], Int[np.ndarray, "M R 2"]]:
    """Every offset within reach, and the offsets on the line to it, padded with (0, 0)."""
    span = range(-reach, reach + 1)
    targets = [(y, x) for y in span for x in span if y * y + x * x <= reach * reach]
    between = np.zeros((len(targets), max(reach - 1, 1), 2), dtype=np.int64)
    for place, (y, x) in enumerate(targets):
        steps = max(abs(y), abs(x))
        for step in range(1, steps):
            between[place, step - 1] = (round(y * step / steps), round(x * step / steps))
    return np.array(targets), between


def nodes(free: Bool[np.ndarray, "H W"], room: Sequence[int], sight: Sight, most: int = 4) -> list[int]:
    """Places in a room from which it is seen: each time the cell that sees most of what is unseen, `most` at most.

    Ends earlier where nine in ten cells are seen. Of equals the first in reading order.
    """
    unseen, found, own = set(room), list[int](), sorted(room)
    while unseen and len(found) < most and len(unseen) > 0.1 * len(own):
        best = max(own, key=lambda cell: len(unseen & sight.of(cell)))
        found.append(best)
        unseen -= sight.of(best)
    return found
