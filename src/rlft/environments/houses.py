"""Houses drawn on demand: rooms of several types in a grid, furniture, doors that a plan shows wrongly, a lost thing.

What stands where is by type: a stove in a kitchen, a bed in a bedroom. What is lost tends to lie beside some furniture
of some rooms, a towel by a bath, or by a sink. The plan shows walls, furniture and doors, but not what is lost, nor
what type a room is; some of its doors are closed, and some doors it does not show.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rlft.environments.occupancy import FAR, distances, neighbours
from rlft.environments.walking import Place
from rlft.noise import hashed

# How often furniture stands in a room of each type.
TYPES: dict[str, dict[str, float]] = {
    "kitchen": {"stove": 0.95, "sink": 0.9, "table": 0.6},
    "bathroom": {"bath": 0.95, "sink": 0.7, "cabinet": 0.5},
    "bedroom": {"bed": 0.95, "cabinet": 0.7, "desk": 0.3},
    "living room": {"sofa": 0.95, "table": 0.6, "shelf": 0.6},
    "office": {"desk": 0.95, "shelf": 0.7, "sofa": 0.2},
}
LANDMARKS = ("stove", "sink", "table", "bath", "cabinet", "bed", "desk", "sofa", "shelf")
# By what a lost thing lies, and in which room: weights. Where there is no such place in the house another is drawn.
LOST: dict[str, dict[tuple[str, str], float]] = {
    "mug": {("kitchen", "sink"): 4, ("office", "desk"): 3, ("kitchen", "table"): 2, ("living room", "table"): 2},
    "towel": {("bathroom", "bath"): 5, ("bathroom", "cabinet"): 2, ("kitchen", "sink"): 2, ("bedroom", "cabinet"): 1},
    "book": {("living room", "shelf"): 4, ("office", "shelf"): 3, ("bedroom", "bed"): 3},
    "keys": {("living room", "table"): 3, ("kitchen", "table"): 3, ("bedroom", "cabinet"): 3, ("office", "desk"): 1},
    "laptop": {("office", "desk"): 5, ("living room", "sofa"): 3, ("bedroom", "desk"): 3},
    "pillow": {("bedroom", "bed"): 6, ("living room", "sofa"): 3},
}
GOALS = tuple(LOST)
# What every house has, then what it may have, until each of its rooms is something.
_ALWAYS = ("kitchen", "bathroom", "bedroom", "living room")
_MAYBE = ("office", "bedroom", "bathroom", "bedroom", "office")
_STRAY = 0.15  # how often what is lost lies anywhere
_EXTRA, _CLOSED, _HIDDEN = 0.6, 0.5, 0.5
_LEAST = 8  # steps from the start to the goal


@dataclass(frozen=True)
class _Room:
    type: str
    top: int
    left: int
    bottom: int
    right: int

    def cells(self, width: int) -> list[int]:
        rows = range(self.top, self.bottom)
        return [y * width + x for y in rows for x in range(self.left, self.right)]


@lru_cache(maxsize=1024)
def house(seed: int, split: str, index: int, reach: int = 3) -> Place:
    """The house with this number; another for each seed and split."""
    draw = random.Random(hashed("house", seed, split, index))
    while True:
        place = _drawn(draw, reach)
        if place is not None:
            return place


def _drawn(draw: random.Random, reach: int) -> Place | None:
    """A house, or None where furniture is in the way, or the goal too near."""
    slots, shape = _slots(draw)
    free = np.zeros(shape, bool)
    for room in slots.values():
        free[room.top : room.bottom, room.left : room.right] = True
    shown = free.copy()
    doors = _doors(draw, slots, free, shown)
    if doors is None:
        return None
    standing = {place: _furnished(draw, room, free, shown, doors) for place, room in slots.items()}
    goal = draw.choice(GOALS)
    spot = _spot(draw, goal, slots, standing, free)
    around = neighbours(free)
    cells = np.flatnonzero(free.ravel()).tolist()
    far = distances(around, spot) if spot is not None else []
    starts = [cell for cell in cells if far and _LEAST < far[cell] < FAR]
    if spot is None or not shown.flat[spot] or not starts or any(far[cell] == FAR for cell in cells):
        return None
    marks = tuple(mark for marks in standing.values() for mark in marks)
    place = Place(free, shown, marks, goal, (spot,), draw.choice(starts), reach)
    return None if spot in place.sight.of(place.start) else place


def _slots(draw: random.Random) -> tuple[dict[tuple[int, int], _Room], tuple[int, int]]:
    """Five to eight rooms on a grid of walls, and the shape of all."""
    down, across, left_out = draw.choice(((2, 3, 1), (2, 3, 0), (2, 4, 1), (2, 4, 0), (3, 3, 2), (3, 3, 1)))
    rows = _lines(draw, down)
    columns = _lines(draw, across)
    grid = [(r, c) for r in range(down) for c in range(across)]
    draw.shuffle(grid)
    grid = grid[left_out:]
    types = [*_ALWAYS, *draw.sample(_MAYBE, len(_MAYBE))][: len(grid)]
    draw.shuffle(types)
    rooms = {
        (r, c): _Room(kind, rows[r] + 1, columns[c] + 1, rows[r + 1], columns[c + 1])
        for (r, c), kind in zip(grid, types, strict=True)
    }
    return rooms, (rows[-1] + 1, columns[-1] + 1)


def _lines(draw: random.Random, count: int) -> list[int]:
    """Where walls are, rooms of five to seven cells between them."""
    found = [0]
    for _ in range(count):
        found.append(found[-1] + draw.randint(5, 7) + 1)
    return found


def _doors(draw: random.Random, slots: dict, free: np.ndarray, shown: np.ndarray) -> set[int] | None:
    """Cut doors: a tree of them that is as the plan shows it, others that may be closed, or that it does not show.

    Returns the cells before and behind them, which furniture leaves free; None where the rooms do not hang together.
    """
    borders = [(a, b) for a in slots for b in ((a[0] + 1, a[1]), (a[0], a[1] + 1)) if b in slots]
    draw.shuffle(borders)
    joined = {place: place for place in slots}
    beside: set[int] = set()
    width = free.shape[1]
    for a, b in borders:
        tree = joined[a] != joined[b]
        if tree:
            old, new = joined[a], joined[b]
            joined = {place: new if group == old else group for place, group in joined.items()}
        extra, closed, hidden = draw.random() < _EXTRA, draw.random() < _CLOSED, draw.random() < _HIDDEN
        room = slots[a]
        if b[0] > a[0]:
            cell, step = room.bottom * width + draw.randrange(room.left, room.right), width
        else:
            cell, step = draw.randrange(room.top, room.bottom) * width + room.right, 1
        beside |= {cell - step, cell, cell + step}
        free.flat[cell] = tree or (not closed if extra else hidden)
        shown.flat[cell] = tree or extra
    return beside if len(set(joined.values())) == 1 else None


def _furnished(
    draw: random.Random, room: _Room, free: np.ndarray, shown: np.ndarray, doors: set[int]
) -> list[tuple[str, int]]:
    """Furniture along the walls, which takes a cell each: its name and its cell."""
    width, found = free.shape[1], []
    edge = [
        cell
        for cell in room.cells(width)
        if (cell // width in (room.top, room.bottom - 1) or cell % width in (room.left, room.right - 1))
        and cell not in doors
    ]
    for name, chance in TYPES[room.type].items():
        if draw.random() < chance and edge:
            cell = edge.pop(draw.randrange(len(edge)))
            free.flat[cell] = shown.flat[cell] = False
            found.append((name, cell))
    return found


def _spot(draw: random.Random, goal: str, slots: dict, standing: dict, free: np.ndarray) -> int | None:
    """Where the lost thing lies: beside such furniture, or anywhere; None where the house has no place for it."""
    width = free.shape[1]
    if draw.random() < _STRAY:
        return draw.choice(np.flatnonzero(free.ravel()).tolist())
    likely = [
        (weight, cell)
        for (kind, name), weight in LOST[goal].items()
        for place, room in slots.items()
        for mark, cell in standing[place]
        if room.type == kind and mark == name
    ]
    if not likely:
        return None
    cell = draw.choices([cell for _, cell in likely], [weight for weight, _ in likely])[0]
    near = [one for one in (cell - width, cell + width, cell - 1, cell + 1) if free.flat[one]]
    return draw.choice(near) if near else None
