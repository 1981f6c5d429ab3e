"""Which of the numbered boxes fit a phrase, none to three of three to six: referring with the right to say None.

Questions, answers and oracle thoughts are in words of `CANDIDATE_WORDS`, one token each:

    find red discs among 1:[8,0,16,8] 2:[16,8,24,16] 3:[0,24,8,32]? think
    <think> 1:[8,0,16,8] red disc yes 2:…</think><answer>[[8,0,16,8]]</answer>
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.errors import UserError
from rlft.noise import hashed
from rlft.tasks.scenes import COLOURS, NAMES, SHAPES, Corners, Scene, Thing, tiled
from rlft.tasks.shapes import SIDES, Family, Question, Shapes, asked_again, beside
from rlft.types import Problem

Name = tuple[str, str]
Answered = Literal["thought", "answer"]
_MODES: dict[Answered, str] = {"thought": " think", "answer": ""}
KINDS = ("name", "colour", "shape", "relation")
_SIZE, _CELL, _MOST, _FIT = 32, 8, 6, 3
_SIDES = range(0, _SIZE, _CELL)
_BOXES = [f"[{x},{y},{x + _CELL},{y + _CELL}]" for x, y in itertools.product(_SIDES, repeat=2)]
_PLURAL = {shape: "crosses" if shape == "cross" else f"{shape}s" for shape in SHAPES}
_SAID = (*(f" {colour}" for colour in COLOURS), *(f" {shape}" for shape in SHAPES))
_ASKED = (
    *(f" {shape}" for shape in _PLURAL.values()),
    " things",
    *(f" {side} the" for side in SIDES),
    "find",
    "name",
    " among",
    "?",
)
_ANSWERED = (" think", "<think>", " at ", " yes", " no", "</think><answer>", "<answer>", "None", "[", ",", "]")
CANDIDATE_WORDS = (*_SAID, *_ASKED, *_ANSWERED, "</answer>", *(f" {n + 1}:" for n in range(_MOST)), *_BOXES)


def referring(
    kinds: Sequence[str] = KINDS, fewest: int = 3, most: int = _MOST, names: Sequence[Name] = NAMES
) -> Family:
    """Scenes of `fewest` to `most` things and a phrase that fits none to three of them, each as often as the others.

    kinds   of phrases, drawn evenly: `name` (red discs), `colour` (red things), `shape` (discs), and `relation` (red
            things left of the blue bar, of which there is one); both its colour and its side leave something out, so
            that neither is enough

    Things that do not fit are hard: three in five share a colour or a shape with the name, and where no disc is red
    there is a red thing or a disc. Columns: `kind`, `fits`, a truth value for each of `things`, and `anchor`, the place
    in `things` of the one that a relation points from, else None.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UserError(f"phrases are of the kinds {', '.join(KINDS)}; not {unknown[0]!r}")
    if not _FIT < fewest + 1 <= most + 1:
        raise UserError(f"three may fit, so there are at least {_FIT} candidates; got {fewest} to {most}")

    def family(draw: random.Random) -> tuple[Scene, Question] | None:
        kind, fitting = draw.choice(list(kinds)), draw.randint(0, _FIT)
        if kind == "relation":
            return _related(draw, fitting, draw.randint(max(fewest, min(fitting + 2, most)), most), names)
        count = draw.randint(max(fewest, _FIT), most)
        phrase, held = _held(draw, kind, fitting, count, names)
        scene = _placed(held, draw)
        fits = [_fits(one, kind, phrase) for one in scene.things]
        return scene, _question(_words(kind, phrase), kind, fits, None)

    return family


def _placed(held: Sequence[Name], draw: random.Random) -> Scene:
    return tiled(held, draw, _SIZE, _CELL, draw.getrandbits(60))


def _question(text: str, kind: str, fits: list[bool], anchor: int | None) -> Question:
    return Question(text, "", {"kind": kind, "fits": fits, "anchor": anchor})


def _held(draw: random.Random, kind: str, fitting: int, count: int, names: Sequence[Name]) -> tuple[Name, list[Name]]:
    """A name, of which the phrase says the whole or a part, and the names of all things: `fitting` fit, no more."""
    phrase = draw.choice(list(names))
    right = [name for name in names if _is(name, kind, phrase)]
    others = [name for name in names if name not in right]
    near = [name for name in others if set(name) & set(phrase)]
    held = [draw.choice(right) for _ in range(fitting)]
    while len(held) < count:
        hard = near and (len(held) == 0 or draw.random() < 0.6)
        held.append(draw.choice(near if hard else others))
    return phrase, held


def _is(name: Name, kind: str, phrase: Name) -> bool:
    """Whether a colour and shape are meant by the part of the name that is said."""
    return {"name": name == phrase, "colour": name[0] == phrase[0], "shape": name[1] == phrase[1]}[kind]


def _fits(one: Thing, kind: str, phrase: Name) -> bool:
    return _is((one.colour, one.shape), kind, phrase)


def _words(kind: str, name: Name) -> str:
    colour, shape = name
    return {"name": f" {colour} {_PLURAL[shape]}", "colour": f" {colour} things", "shape": f" {_PLURAL[shape]}"}[kind]


def _related(draw: random.Random, fitting: int, count: int, names: Sequence[Name]) -> tuple[Scene, Question] | None:
    """`red things left of the blue bar` of a scene of so many things, where so many fit."""
    colour = draw.choice(list(names))[0]
    alike = [name for name in names if name[0] == colour]
    held = [draw.choice(alike) for _ in range(min(fitting + 1, count - 1))]
    scene = _placed([*held, *(draw.choice(list(names)) for _ in range(count - len(held)))], draw)
    things = scene.things
    alone = [one for one in things if sum(other.name == one.name for other in things) == 1]
    found = []
    for anchor, side in itertools.product(alone, SIDES):
        meant = [(one.colour == colour, beside(one, side, anchor)) for one in things]
        kinds = {pair for one, pair in zip(things, meant, strict=True) if one is not anchor}
        # Something of the colour that is elsewhere, and something else on that side.
        if sum(map(all, meant)) == fitting and kinds >= {(True, False), (False, True)}:
            found.append((anchor, side, [all(pair) for pair in meant]))
    if not found:
        return None
    anchor, side, fits = draw.choice(found)
    text = f" {colour} things {side} the {anchor.name}"
    return scene, _question(text, "relation", fits, things.index(anchor))


class Candidates:
    """Pictures whose things are the candidates, and a phrase; the answer is the JSON of the boxes that fit, or None.

    answered  `thought`: the demonstration goes through the candidates, what each is and whether it fits, and then
              answers; with a relation it says first where the thing is that it points from. `answer`: it answers
    hints     the order of candidates and their numbers is drawn anew at every visit (`shuffled`), or once (`fixed`)

    Boxes are answered in the order of their numbers. Columns: those of `Shapes` and of `referring`, and `boxes`, the
    candidates in order.
    """

    def __init__(
        self,
        name: str = "candidates",
        split: str = "train",
        size: int | None = None,
        answered: Answered = "thought",
        hints: Literal["shuffled", "fixed"] = "shuffled",
        family: Family | None = None,
    ):
        self.shapes = Shapes(name, family or referring(), split, size)
        self.name, self.split, self.size = name, split, size
        self.answered: Answered = answered
        self.hints = hints

    def at(self, index: int) -> Problem:
        """The problem with this index at its first visit."""
        return self.visited(index, 0)

    def visited(self, index: int, visit: int) -> Problem:
        """The problem with this index; the candidates in the order of this visit."""
        problem = self.shapes.at(index)
        order = list(range(len(problem.columns["things"])))
        told = visit if self.hints == "shuffled" else 0
        random.Random(hashed("hints", self.name, self.split, index, told)).shuffle(order)
        return ordered(problem, order, self.answered)


def ordered(problem: Problem, order: Sequence[int], answered: Answered) -> Problem:
    """A problem of a `referring` family with its things as candidates in this order."""
    told, anchor = problem.columns, problem.columns["anchor"]
    things, fits = ([told[name][place] for place in order] for name in ("things", "fits"))
    boxes = [thing["bbox_2d"] for thing in things]
    right = boxed([box for box, fit in zip(boxes, fits, strict=True) if fit])
    thought = worked(things, fits, told["things"][anchor] if anchor is not None else None)
    columns = {"things": things, "fits": fits, "boxes": boxes}
    columns |= {"anchor": None if anchor is None else order.index(anchor), "kind": told["kind"]}
    text = f"find{told['question']} among{hinted(boxes)}?{_MODES[answered]}"
    shown = f"{thought if answered == 'thought' else ''}<answer>{right}</answer>"
    return replace(asked_again(replace(problem, columns=columns), text), answer=right, demonstration=shown)


def hinted(boxes: Sequence[Sequence[int] | Corners]) -> str:
    """Candidates as a prompt lists them, ` 1:[4,0,12,8] 2:…`."""
    return "".join(f" {number}:{_json(box)}" for number, box in enumerate(boxes, 1))


def boxed(boxes: Sequence[Sequence[int] | Corners]) -> str:
    """Boxes as they are answered, `None` for none."""
    return _json(boxes) if boxes else "None"


def worked(things: Sequence[dict[str, Any]], fits: Sequence[bool], anchor: dict[str, Any] | None) -> str:
    """The oracle's thoughts: where the thing is that a relation points from, then of each candidate what it is and
    whether it fits."""
    plan = "" if anchor is None else f" {anchor['label']} at {_json(anchor['bbox_2d'])}"
    judged = zip(things, fits, strict=True)
    told = (f" {n}:{described(thing)} {'yes' if fit else 'no'}" for n, (thing, fit) in enumerate(judged, 1))
    return f"<think>{plan}{''.join(told)}</think>"


def described(thing: dict[str, Any]) -> str:
    """A candidate's box and what is in it."""
    return f"{_json(thing['bbox_2d'])} {thing['label']}"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
