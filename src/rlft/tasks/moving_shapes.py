"""Films of moving shapes, one of which carries out a plan: which act comes next? Procedural: no file is read.

A film is 16 pixels wide and shows one to three shapes on straight ways between turning points. One of them acts at
known times: it flashes white, grows, becomes a ring or goes dim, and is then as before. A plan is four acts in an order
of its own; a film shows the first none to three of them, and asked is the next, one of four options. Only the asked
frames are drawn, at any density.

Environments differ in background, palette and speed. Three levels, as SEED-Bench-R1 has them (Chen et al. 2025,
arXiv:2503.24376): `L1` the environment and the plans of training, `L2` other environments, `L3` other environments and
plans of another kind.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from rlft.errors import UserError
from rlft.noise import hashed
from rlft.tasks import drawn
from rlft.tasks.films import viewed
from rlft.types import Problem

SIDE, RATE = 16, 8.0  # pixels, frames a second
ACTS = ("flash", "grow", "ring", "dim")
LETTERS = "ABCD"
CHANCE = 1 / len(LETTERS)
# The order of acts in each plan; of every kind each act comes at least once at every place.
KITCHEN = {
    "tea": ("flash", "grow", "ring", "dim"),
    "soup": ("grow", "dim", "flash", "ring"),
    "toast": ("ring", "flash", "dim", "grow"),
    "salad": ("dim", "ring", "grow", "flash"),
}
HOBBY = {
    "knit": ("flash", "dim", "grow", "ring"),
    "paint": ("grow", "ring", "dim", "flash"),
    "chess": ("ring", "grow", "flash", "dim"),
    "piano": ("dim", "flash", "ring", "grow"),
}
PLANS = {**KITCHEN, **HOBBY}
MOST = 2048  # frames


@dataclass(frozen=True)
class Environment:
    """Background, colours of shapes, and how fast they are: an act lasts 1 / `speed` of its usual time."""

    name: str
    ground: tuple[int, int, int]
    colours: tuple[tuple[int, int, int], ...]
    speed: float


ENVIRONMENTS = (
    Environment("wood", (90, 60, 40), ((210, 60, 50), (220, 150, 40), (200, 90, 150)), 1.0),
    Environment("slate", (40, 50, 70), ((60, 120, 220), (60, 190, 190), (130, 90, 220)), 0.8),
    Environment("moss", (45, 75, 45), ((110, 200, 60), (210, 200, 70), (60, 170, 110)), 1.3),
)
LEVELS = {"L1": ((0,), KITCHEN), "L2": ((1, 2), KITCHEN), "L3": ((1, 2), HOBBY), "all": ((0, 1, 2), PLANS)}


@dataclass(frozen=True)
class Mover:
    """A shape: which colour of its environment, its width in pixels, and its turning points (frame, x, y)."""

    colour: int
    width: int
    turns: tuple[tuple[int, float, float], ...]

    def at(self, moment: int) -> tuple[float, float]:
        """Where its middle is, straight on between two turning points."""
        when, x, y = zip(*self.turns, strict=True)
        return float(np.interp(moment, when, x)), float(np.interp(moment, when, y))


@dataclass(frozen=True)
class Act:
    """What the first shape does from frame `begin` to the one before `end`."""

    name: str
    begin: int
    end: int


@dataclass(frozen=True)
class Clip:
    """A film of `count` frames; what acts is the first of the movers. `key` is what the pixels' noise is drawn from."""

    count: int
    environment: Environment
    movers: tuple[Mover, ...]
    acts: tuple[Act, ...]
    noise: float = 6.0
    key: int = 0
    rate: float = RATE

    def doing(self, moment: int) -> str | None:
        """The act of this frame."""
        return next((act.name for act in self.acts if act.begin <= moment < act.end), None)

    def picture(self, moment: int) -> UInt8[np.ndarray, "16 16 3"]:
        """One frame, rows from the top; the same in every view."""
        if not 0 <= moment < self.count:
            raise IndexError(f"a film of {self.count} frames has none with number {moment}")
        pixels = np.full((SIDE, SIDE, 3), self.environment.ground, dtype=float)
        for number, mover in reversed(list(enumerate(self.movers))):
            x, y = mover.at(moment)
            _draw(pixels, x, y, mover.width, self.environment.colours[mover.colour], self.doing(moment), number == 0)
        draws = np.random.Generator(np.random.PCG64([self.key, moment]))
        return (pixels + self.noise * draws.standard_normal(pixels.shape)).clip(0, 255).astype(np.uint8)

    def pictures(self, which: Sequence[int]) -> list[UInt8[np.ndarray, "16 16 3"]]:
        """See `films.Film`."""
        return [self.picture(moment) for moment in which]

    @property
    def content(self) -> tuple[object, ...]:
        """See `drawn.Sensed`."""
        turns = [turn for mover in self.movers for turn in (mover.colour, mover.width, *mover.turns)]
        acts = [value for act in self.acts for value in (act.name, act.begin, act.end)]
        return ("moving", self.environment.name, self.count, *(str(one) for one in (*turns, *acts)))

    def columns(self) -> dict[str, Any]:
        """`environment`, `acts` with their frames, and the number of shapes."""
        acts = [[act.name, act.begin, act.end] for act in self.acts]
        return {"environment": self.environment.name, "acts": acts, "shapes": len(self.movers)}

    def part(self) -> dict[str, Any]:
        """The film."""
        return {"type": "video", "video": self}


@dataclass(frozen=True)
class Frame:
    """One frame of a clip, of which it is known what is in it."""

    clip: Clip
    moment: int

    def picture(self) -> UInt8[np.ndarray, "16 16 3"]:
        """The pixels."""
        return self.clip.picture(self.moment)

    def told(self) -> Int[np.ndarray, "1 3"]:
        """Which act, from 1 on, 0 for none; which quadrant the shape that acts is in; which environment."""
        x, y = self.clip.movers[0].at(self.moment)
        doing = self.clip.doing(self.moment)
        act = 0 if doing is None else 1 + ACTS.index(doing)
        return np.array([[act, 2 * (y >= SIDE / 2) + (x >= SIDE / 2), ENVIRONMENTS.index(self.clip.environment)]])


# How many classes each column of `Frame.told` has.
CLASSES = (len(ACTS) + 1, 4, len(ENVIRONMENTS))


def _draw(pixels: Any, x: float, y: float, width: int, colour: Any, doing: str | None, acts: bool) -> None:
    """A square; what acts is one whose middle is lit, and is changed by what it does."""
    doing = doing if acts else None
    tone = np.array((250, 250, 250) if doing == "flash" else colour, dtype=float)
    tone = tone * 0.15 if doing == "dim" else tone
    wide = width + 4 if doing in ("grow", "ring") else width
    top, left = round(y - wide / 2), round(x - wide / 2)
    held = pixels[max(top, 0) : top + wide, max(left, 0) : left + wide]
    inner = pixels[max(top + 2, 0) : top + wide - 2, max(left + 2, 0) : left + wide - 2]
    before = inner.copy()
    held[:] = tone
    if doing == "ring":
        inner[:] = before


class MovingShapes:
    """Questions of a level; a problem's input is one message with the film as `frames` pictures and their times.

    A problem's answer is the letter of the right option, or with answer="word" the name of the act, any of the four,
    which the question then does not list. Columns: `level`, `plan`, `options` by their letters, `done`, how many acts
    the film shows, and what is known of the film. `size` takes the first so many of a split, which are kept once they
    were drawn; a split has no end without it. `films.viewed` shows more frames of the same film.

    length    frames of a film, at 8 a second, up to 2048
    evidence  the share of a film that an act lasts: the lower, the more frames it takes to see it
    """

    def __init__(
        self,
        level: str = "L1",
        split: str = "train",
        size: int | None = None,
        frames: int = 8,
        length: int = 64,
        evidence: float = 0.2,
        series: str = "asked",
        answer: str = "letter",
    ):
        if level not in LEVELS or split not in drawn.SPLITS:
            raise UserError(
                f"films have the levels {', '.join(LEVELS)} and the splits {', '.join(drawn.SPLITS)}; "
                f"got level={level!r} and split={split!r}"
            )
        if answer not in ("letter", "word"):
            raise UserError(f"films are answered by the letter of an option or by its word; got answer={answer!r}")
        if not (16 <= length <= MOST and 0 < evidence <= 0.25 and 1 <= frames <= length):
            raise UserError(
                f"a film has 16 to {MOST} frames, of which one to all are shown, and an act lasts up to a quarter of "
                f"it; got length={length}, frames={frames}, evidence={evidence}"
            )
        self.level, self.split, self.size, self.frames = level, split, size, frames
        self.length, self.evidence, self.series = length, evidence, series
        self.answer = answer
        self.name = f"moving-{level}-{length}-{evidence:g}"
        self._numbered = drawn.Numbered(self, self._drawn)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        return self._numbered.at(index)

    def _drawn(self, index: int) -> Problem:
        told = random.Random(hashed("moving", self.level, self.series, self.split, index))
        places, plans = LEVELS[self.level]
        plan, done, letter = told.choice(list(plans)), told.randrange(len(ACTS)), told.choice(LETTERS)
        right = plans[plan][done]
        others = told.sample([act for act in ACTS if act != right], len(ACTS) - 1)
        options = {name: right if name == letter else others.pop() for name in LETTERS}
        draw = random.Random(hashed("film", self.name, self.series, self.split, index))
        while True:
            film = clip(plans[plan][:done], draw, self.length, self.evidence, draw.choice(places))
            if drawn.belongs(film, self.split):
                break
        text, said = (asked(plan, options), letter) if self.answer == "letter" else (asked(plan, {}), right)
        columns = {"level": self.level, "plan": plan, "options": options, "done": done, **film.columns()}
        whole = Problem(index, drawn.shown(film.part(), text), said, columns, self.name, self.split)
        return viewed(whole, self.frames)


def asked(plan: str, options: dict[str, str]) -> str:
    """The question; without options where any act may be said."""
    return f"{plan}, next?" + "".join(f" {letter} {act}" for letter, act in options.items())


def clip(acts: Sequence[str], draw: random.Random, length: int, evidence: float, place: int) -> Clip:
    """A film in which these acts are done, one after another, at times of chance."""
    environment = ENVIRONMENTS[place]
    lasts = max(1, min(round(evidence * length / environment.speed), length // max(len(acts), 1)))
    free = length - lasts * len(acts)
    starts = sorted(draw.randint(0, free) for _ in acts)
    begins = [start + i * lasts for i, start in enumerate(starts)]
    done = tuple(Act(name, begin, begin + lasts) for name, begin in zip(acts, begins, strict=True))
    movers = tuple(_mover(draw, length, environment, i) for i in range(draw.randint(1, 3)))
    return Clip(length, environment, movers, done, key=draw.getrandbits(60))


def _mover(draw: random.Random, length: int, environment: Environment, number: int) -> Mover:
    """One that turns every two seconds, at a speed of 1; the first is larger than the others."""
    every = max(round(2 * RATE / environment.speed), 1)
    times = sorted({*range(0, length, every), length - 1})
    turns = tuple((time, draw.uniform(4, SIDE - 4), draw.uniform(4, SIDE - 4)) for time in times)
    return Mover(draw.randrange(len(environment.colours)), 2 if number else 5, turns)
