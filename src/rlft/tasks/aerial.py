"""Questions about a place seen from above: roads, roofs, trees, vehicles, water. Procedural: no file is read.

A picture is 32 pixels wide and shows four by four plots, each of one ground and with one thing on it at most. Eight
kinds of questions in three groups, from what a thing is to how things lie to each other. Each picture is drawn on
demand from its index; splits are disjoint by what is on the plots. Right answers to a kind are equally frequent
whatever the words of its question, so who is shown no picture is right with `CHANCE`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, UInt8

from rlft.errors import UserError
from rlft.noise import hashed
from rlft.tasks import drawn
from rlft.types import Problem

Place = tuple[int, int]
# The share of all grounds that a split has, of ten; no small one, as grounds are drawn until one belongs.
SPLITS = {"train": range(5), "validation": range(5, 6), "test": range(6, 10)}
Altitude = Literal["low", "high"]
ACROSS, PLOT = 4, 8
COLOURS = {"red": (210, 50, 40), "blue": (50, 80, 220), "white": (240, 240, 240), "yellow": (235, 205, 60)}
GROUNDS = ("grass", "row", "column", "crossing", "water")
VEHICLES = ("car", "bus", "boat")
THINGS = (*VEHICLES, "roof", "tree")
QUADRANTS = ("north west", "north east", "south west", "south east")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "attribute": ("colour", "presence", "transport"),
    "object": ("count", "size"),
    "spatial": ("quadrant", "nearest", "reach"),
}
KINDS = tuple(kind for group in GROUPS.values() for kind in group)
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS), "presence": ("yes", "no"), "transport": VEHICLES, "count": ("1", "2", "3", "4"),
    "size": tuple(COLOURS), "quadrant": QUADRANTS, "nearest": tuple(COLOURS), "reach": ("yes", "no"),
}  # fmt: skip
# Of two roofs one is the larger.
CHANCE = {kind: 1 / 2 if kind == "size" else 1 / len(words) for kind, words in ANSWERS.items()}
# What a tokenizer of whole words needs for all questions and answers.
WORDS = (
    *COLOURS, *VEHICLES, *QUADRANTS, "yes", "no", "1", "2", "3", "4", "?",
    *(f" {word}" for word in (*COLOURS, *THINGS, "water")),
    "what colour is the", "is there", "which transport is there", "count the", "which is larger, the", " or the",
    "where is the", "which", " is nearest to the", "can the", " reach the", "<answer>", "</answer>",
)  # fmt: skip
_GROUND = {"grass": (70, 110, 60), "water": (40, 90, 130), "road": (110, 110, 115)}
# Pixels by altitude: width of a road, of a vehicle and of a small and a large roof, length of a car and a bus.
_PIXELS: Mapping[Altitude, Mapping[str, int]] = {
    "high": {"road": 4, "wide": 2, "car": 3, "boat": 4, "bus": 5, "small": 4, "large": 6, "tree": 3},
    "low": {"road": 6, "wide": 3, "car": 4, "boat": 5, "bus": 7, "small": 5, "large": 8, "tree": 5},
}


@dataclass(frozen=True)
class Thing:
    """What stands on a plot; trees have no colour, roofs are small or large, vehicles lie along a row or a column."""

    kind: str
    colour: str | None = None
    large: bool = False
    upright: bool = False


@dataclass(frozen=True)
class Ground:
    """Sixteen plots, row by row from the north-west: what each is and what stands on it; and from how high it is seen.

    `key` is what the pixels' noise is drawn from, on a scale of 0 to 255 with a standard deviation of `noise`.
    """

    plots: tuple[str, ...]
    things: tuple[Thing | None, ...]
    altitude: Altitude = "high"
    noise: float = 10.0
    key: int = 0

    def picture(self) -> UInt8[np.ndarray, "size size 3"]:
        """The pixels, rows from the north."""
        pixels = np.empty((ACROSS * PLOT, ACROSS * PLOT, 3))
        for place, (ground, thing) in enumerate(zip(self.plots, self.things, strict=True)):
            y, x = divmod(place, ACROSS)
            plot = pixels[y * PLOT : (y + 1) * PLOT, x * PLOT : (x + 1) * PLOT]
            plot[:] = _GROUND["water" if ground == "water" else "grass"]
            edge = (PLOT - _PIXELS[self.altitude]["road"]) // 2
            if ground in ("row", "crossing"):
                plot[edge : PLOT - edge] = _GROUND["road"]
            if ground in ("column", "crossing"):
                plot[:, edge : PLOT - edge] = _GROUND["road"]
            if thing is not None:
                _draw(plot, thing, _PIXELS[self.altitude])
        draws = np.random.Generator(np.random.PCG64(self.key))
        return (pixels + self.noise * draws.standard_normal(pixels.shape)).clip(0, 255).astype(np.uint8)

    @property
    def content(self) -> tuple[object, ...]:
        """See `drawn.Sensed`."""
        return ("aerial", *self.plots, *self.things)

    def columns(self) -> dict[str, Any]:
        """`altitude`, `plots`, and `things` with the plot (column, row) that each is `at`."""
        things = [
            {"kind": thing.kind, "colour": thing.colour, "large": thing.large, "upright": thing.upright, "at": [x, y]}
            for (y, x), thing in zip(itertools.product(range(ACROSS), repeat=2), self.things, strict=True)
            if thing is not None
        ]
        return {"altitude": self.altitude, "plots": list(self.plots), "things": things}

    def part(self) -> dict[str, Any]:
        """The picture."""
        return drawn.pictured(self.picture())

    def patches(self, side: int) -> Int[np.ndarray, "patches 5"]:
        """Of each plot, row by row: its ground, and from 1 on the kind and the colour of what stands on it, 0 for none;
        whether that is large, -100, which no loss counts, where it is no roof; last which plot it is."""
        if side != PLOT:
            raise UserError(f"a plot is {PLOT} pixels wide, so patches are too; got {side}")
        held = enumerate(zip(self.plots, self.things, strict=True))
        return np.array([[GROUNDS.index(ground), *_told(thing), place] for place, (ground, thing) in held])

    def where(self, kind: str, colour: str | None = None) -> list[Place]:
        """The plots (column, row) with a thing of this kind, and colour if one is named."""
        held = [i for i, t in enumerate(self.things) if t and t.kind == kind and colour in (None, t.colour)]
        return [(place % ACROSS, place // ACROSS) for place in held]


def _told(thing: Thing | None) -> tuple[int, int, int]:
    if thing is None:
        return 0, 0, -100
    colour = 0 if thing.colour is None else 1 + list(COLOURS).index(thing.colour)
    return 1 + THINGS.index(thing.kind), colour, int(thing.large) if thing.kind == "roof" else -100


# How many classes each column of `Ground.patches` has.
CLASSES = (len(GROUNDS), len(THINGS) + 1, len(COLOURS) + 1, 2, ACROSS * ACROSS)


def _draw(plot: Any, thing: Thing, pixels: Mapping[str, int]) -> None:
    """Into the middle of a plot."""
    colour = COLOURS.get(thing.colour or "", (25, 60, 25))
    if thing.kind in VEHICLES:
        high, wide = pixels["wide"], pixels[thing.kind]
        if thing.upright:
            high, wide = wide, high
    else:
        high = wide = pixels["tree"] if thing.kind == "tree" else pixels["large" if thing.large else "small"]
    y, x = (PLOT - high) // 2, (PLOT - wide) // 2
    held = plot[y : y + high, x : x + wide]
    held[:] = colour
    if thing.kind == "tree":  # round
        held[[0, 0, -1, -1], [0, -1, 0, -1]] = _GROUND["grass"]
    if thing.kind == "roof":  # a ridge
        held[high // 2] = [part * 0.6 for part in colour]
    if thing.kind == "boat":  # a bow
        bow = held[0] if thing.upright else held[:, 0]
        bow[:] = (30, 30, 30)


@dataclass
class _Site:
    """A ground that is being built: places that are free, by what they are, in an order of chance."""

    draw: random.Random
    plots: dict[Place, str] = field(default_factory=dict)
    things: dict[Place, Thing] = field(default_factory=dict)
    full: bool = False

    def free(self, kind: str) -> list[Place]:
        """Where a thing of this kind can stand: vehicles on roads or water, the others on grass."""
        grounds = {"boat": ("water",), "car": ("row", "column"), "bus": ("row", "column")}.get(kind, ("grass",))
        found = [at for at, ground in self.plots.items() if ground in grounds and at not in self.things]
        return self.draw.sample(found, len(found))

    def put(self, kind: str, colour: str | None = None, large: bool | None = None, at: Place | None = None) -> None:
        """One more thing there, or anywhere; where there is no place left the site is `full`."""
        there = self.free(kind)
        if not there or (at is not None and at not in there):
            self.full = True
            return
        at = at or there[0]
        hue = None if kind == "tree" else colour or self.draw.choice(list(COLOURS))
        big = kind == "roof" and (self.draw.random() < 0.5 if large is None else large)
        upright = self.plots[at] == "column" or (kind == "boat" and self.draw.random() < 0.5)
        self.things[at] = Thing(kind, hue, big, upright)

    def ground(self) -> Ground:
        """The ground as it is now, from an altitude of chance."""
        places = [(x, y) for y in range(ACROSS) for x in range(ACROSS)]
        altitude: Altitude = "low" if self.draw.random() < 0.5 else "high"
        told = tuple(self.plots[at] for at in places), tuple(self.things.get(at) for at in places)
        return Ground(*told, altitude, key=self.draw.getrandbits(60))


def _site(draw: random.Random, roads: Sequence[tuple[str, int]] | None = None, water: bool | None = None) -> _Site:
    """Grass, one or two roads from end to end, and half of the time a pond of one or two plots."""
    site = _Site(draw, {(x, y): "grass" for y in range(ACROSS) for x in range(ACROSS)})
    for way, number in roads or [(draw.choice(("row", "column")), draw.randrange(ACROSS)) for _ in range(2)]:
        for step in range(ACROSS):
            at = (step, number) if way == "row" else (number, step)
            site.plots[at] = way if site.plots[at] in ("grass", way) else "crossing"
    if draw.random() < 0.5 if water is None else water:
        x, y = draw.choice(site.free("roof"))
        site.plots |= {at: "water" for at in ((x, y), (x + 1, y)) if site.plots.get(at) == "grass"}
    return site


def _scatter(site: _Site, kinds: Sequence[str], most: int = 3) -> None:
    """Up to so many things of these kinds, where there is room."""
    for kind in site.draw.choices(kinds, k=site.draw.randint(0, most)) if kinds else ():
        if site.free(kind):
            site.put(kind)


def _others(*kinds: str) -> list[str]:
    return [kind for kind in THINGS if kind not in kinds]


Asked = tuple[_Site, str, str]
"""A site, a question and its right answer. What is asked and what is right are drawn from `told`, which is the same
again where a site had no room: so no word of a question says which answers are likely."""


def _colour(told: random.Random, draw: random.Random) -> Asked:
    kind, hue = told.choice(("car", "bus", "roof")), told.choice(list(COLOURS))
    site = _site(draw)
    site.put(kind, hue)
    _scatter(site, _others(kind))
    return site, f"what colour is the {kind}?", hue


def _presence(told: random.Random, draw: random.Random) -> Asked:
    kind, there = told.choice((*THINGS, "water")), told.random() < 0.5
    site = _site(draw, water=there if kind == "water" else True if kind == "boat" and there else None)
    if there and kind != "water":
        site.put(kind)
    _scatter(site, _others(kind), 4)
    return site, f"is there {kind}?", "yes" if there else "no"


def _transport(told: random.Random, draw: random.Random) -> Asked:
    kind = told.choice(VEHICLES)
    site = _site(draw, water=True if kind == "boat" else None)
    site.put(kind)
    _scatter(site, ("roof", "tree"), 4)
    return site, "which transport is there?", kind


def _count(told: random.Random, draw: random.Random) -> Asked:
    kind, number = told.choice(("roof", "tree", "car")), told.randint(1, 4)
    site = _site(draw)
    for _ in range(number):
        site.put(kind)
    _scatter(site, _others(kind))
    return site, f"count the {kind}?", str(number)


def _size(told: random.Random, draw: random.Random) -> Asked:
    site, (one, two) = _site(draw), told.sample(list(COLOURS), 2)
    larger = told.choice((one, two))
    for hue in (one, two):
        site.put("roof", hue, large=hue == larger)
    _scatter(site, _others("roof"))
    return site, f"which is larger, the {one} roof or the {two} roof?", larger


def _quadrant(told: random.Random, draw: random.Random) -> Asked:
    kind, answer = told.choice(("car", "bus", "roof")), told.choice(QUADRANTS)
    site, half = _site(draw), ACROSS // 2
    fits = [at for at in site.free(kind) if quadrant(at) == answer]
    site.put(kind, at=fits[0] if fits else (half * ACROSS, 0))
    _scatter(site, _others(kind))
    return site, f"where is the {kind}?", answer


def quadrant(at: Place) -> str:
    """North or south, west or east."""
    return f"{'north' if at[1] < ACROSS // 2 else 'south'} {'west' if at[0] < ACROSS // 2 else 'east'}"


def distance(a: Place, b: Place) -> int:
    """Squared, between the middles of two plots, in plots."""
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def _nearest(told: random.Random, draw: random.Random) -> Asked:
    site, answer = _site(draw), told.choice(list(COLOURS))
    site.put("car")
    for hue in (answer, *draw.sample([hue for hue in COLOURS if hue != answer], 2)):
        site.put("roof", hue)
    _scatter(site, _others("car", "roof"), 2)
    car = next((at for at, thing in site.things.items() if thing.kind == "car"), (0, 0))
    far = sorted((distance(at, car), thing.colour) for at, thing in site.things.items() if thing.kind == "roof")
    site.full |= len(far) < 3 or far[0][0] == far[1][0] or far[0][1] != answer
    return site, "which roof is nearest to the car?", answer


def _reach(told: random.Random, draw: random.Random) -> Asked:
    """A car on one of two roads, which cross or do not; a roof at a road that it reaches, or only at another."""
    answer, hue = told.choice(("yes", "no")), told.choice(list(COLOURS))
    way, other = draw.choice(("row", "column")), draw.choice(("row", "column"))
    first, second = draw.randrange(ACROSS), draw.randrange(ACROSS)
    site = _site(draw, [(way, first), (other, second)])
    site.put("car")
    site.put("roof", hue)
    _scatter(site, _others("car", "roof"))
    site.full |= reached(site.plots, site.things) != (answer == "yes")
    return site, f"can the car reach the {hue} roof?", answer


def reached(plots: Mapping[Place, str], things: Mapping[Place, Thing]) -> bool:
    """Whether the car's road, with those that cross it, passes beside the roof's plot."""
    ends = {thing.kind: at for at, thing in things.items() if thing.kind in ("car", "roof")}
    if len(ends) < 2:
        return False
    seen, todo = {ends["car"]}, [ends["car"]]
    ways = {"row": ((1, 0), (-1, 0)), "column": ((0, 1), (0, -1))}
    while todo:
        x, y = todo.pop()
        for dx, dy in ways.get(plots[x, y], (*ways["row"], *ways["column"])):
            at = (x + dx, y + dy)
            joined = plots.get(at) in ("row" if dx else "column", "crossing")
            if joined and at not in seen:
                seen.add(at)
                todo.append(at)
    return any(distance(ends["roof"], at) == 1 for at in seen)


_ASKED: Mapping[str, Callable[[random.Random, random.Random], Asked]] = {
    "colour": _colour, "presence": _presence, "transport": _transport, "count": _count, "size": _size,
    "quadrant": _quadrant, "nearest": _nearest, "reach": _reach,
}  # fmt: skip


class Aerial:
    """Problems of some kinds in turn; their input is one message with the picture and then the question.

    A problem's answer is the right word. Columns: `kind`, `group`, `question`, `altitude`, `plots` and `things`. Each
    kind has problems of its own: those of a part of the kinds are among those of all. `each` takes the first so many
    of every kind; there is no end without it. Another `series` has other problems of the same split.
    """

    def __init__(
        self, kinds: Sequence[str] = KINDS, split: str = "train", each: int | None = None, series: str = "asked"
    ):
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise UserError(f"questions are of the kinds {', '.join(KINDS)}; not {unknown[0]!r}")
        if split not in SPLITS:
            raise UserError(f"scenes have the splits {', '.join(SPLITS)}; not {split!r}")
        self.kinds, self.split, self.each, self.series = tuple(kinds), split, each, series
        self.name = "aerial" if self.kinds == KINDS else f"aerial-{'-'.join(kinds)}"
        self.size = None if each is None else each * len(self.kinds)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        number, place = divmod(index, len(self.kinds))
        kind = self.kinds[place]
        ground, question, answer = asked(kind, hashed("aerial", self.series, kind, self.split, number), self.split)
        group = next(name for name, kinds in GROUPS.items() if kind in kinds)
        columns = {"kind": kind, "group": group, "question": question, **ground.columns()}
        return Problem(index, drawn.shown(ground.part(), question), answer, columns, self.name, self.split)


def asked(kind: str, key: int, split: str) -> tuple[Ground, str, str]:
    """A ground of this split, a question of this kind about it, and the right answer, all of them drawn from `key`."""
    draw = random.Random(hashed(key, "site"))
    while True:
        site, question, answer = _ASKED[kind](random.Random(key), draw)
        if site.full:
            continue
        ground = site.ground()
        if belongs(ground, split):
            return ground, question, answer


def anywhere(draw: random.Random, most: int = 8) -> Ground | None:
    """A ground of the training split with up to so many things, nothing asked; None for one of another split."""
    site = _site(draw)
    _scatter(site, THINGS, most)
    ground = site.ground()
    return ground if belongs(ground, "train") else None


def belongs(ground: Ground, split: str) -> bool:
    """Whether a ground is of this split: by what is on its plots, so that none is in two."""
    return drawn.belongs(ground, split, SPLITS)
