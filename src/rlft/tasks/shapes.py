"""Questions about pictures of coloured shapes: which objects are where, where a phrase is, how many. No file is read.

Each picture is drawn on demand from its index; splits are disjoint by what is in it. Questions and answers are words
of the family's list, one token each for `models.small_language.word_tokenizer`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from rlft.errors import UserError
from rlft.tasks.drawn import Drawn, Family, Question, shown
from rlft.tasks.scenes import COLOURS, NAMES, SHAPES, Scene, Thing, scattered
from rlft.types import Problem

SIDES = ("left of", "right of", "above", "below")
_SIZE = 32
# What a tokenizer of whole words needs for each family's questions and answers. A list is a base model's own, so that
# another family changes none.
_THINGS = (*COLOURS, *(f" {shape}" for shape in SHAPES), ", ", "?")
_NUMBERS = (*(f"{number}" for number in range(_SIZE + 1)), *(f"{number}," for number in range(_SIZE + 1)), "[", "]")
_MARKS = ('[{"bbox_2d":[', '"},{"bbox_2d":[', '],"label":"', '"}]', "None")
DETECTION_WORDS = (*_THINGS, *_NUMBERS, *_MARKS, "find ")
_PLACES = (" thing", "thing", "smallest", "largest", *(f" {side} the " for side in SIDES))
GROUNDING_WORDS = (*_THINGS, *_NUMBERS, *_PLACES, "where is the ")
CLASS_WORDS = (*_THINGS, "what is it")


# Problems about pictures of shapes: their columns are `things`, all boxes and names of the scene, and the question's.
Shapes = Drawn


def asked_again(problem: Problem, text: str) -> Problem:
    """A problem of `Shapes` with another question about its picture."""
    picture = problem.input[0]["content"][0]
    return replace(problem, input=shown(picture, text), columns={**problem.columns, "question": text})


def detection(fewest: int = 1, most: int = 3, asked: int = 4, names: Sequence[tuple[str, str]] = NAMES) -> Family:
    """`find red disc, blue bar, …?`: every object of these labels, of which some are not there at all.

    `fewest` to `most` things in the picture; of the `asked` labels each thing in it is one with probability 0.8, and
    the others are hard: they share a colour or a shape with something in it. The answer is JSON, the objects in the
    order of their left edges, or None.
    """

    def family(draw: random.Random) -> tuple[Scene, Question] | None:
        scene = scattered(draw.choices(names, k=draw.randint(fewest, most)), draw, _SIZE, draw.getrandbits(60))
        if scene is None:
            return None
        held = {tuple(one.name.split()) for one in scene.things}
        near = [name for name in names if name not in held and any(set(name) & set(one) for one in held)]
        labels = [name for name in sorted(held) if draw.random() < 0.8]
        labels += draw.sample(near, k=max(asked - len(labels), 0))
        draw.shuffle(labels)
        spoken = [" ".join(name) for name in labels]
        right = [one for one in scene.things if one.name in spoken]
        return scene, Question(f"find {', '.join(spoken)}?", boxed(right), {"labels": spoken})

    return family


def boxed(things: Sequence[Thing]) -> str:
    """Boxes and labels as JSON without spaces, `None` for none."""
    if not things:
        return "None"
    return json.dumps([{"bbox_2d": list(one.box), "label": one.name} for one in things], separators=(",", ":"))


def classes(names: Sequence[tuple[str, str]] = NAMES, asked: str = "what is it", noise: float = 12.0) -> Family:
    """`what is it?`: the one thing of a picture with this noise, by its name."""

    def family(draw: random.Random) -> tuple[Scene, Question] | None:
        right = draw.choice(list(names))
        scene = scattered([right], draw, _SIZE, draw.getrandbits(60))
        return scene and (replace(scene, noise=noise), Question(f"{asked}?", " ".join(right), {}))

    return family


def grounding(
    kinds: Sequence[str] = ("name",), fewest: int = 2, most: int = 4, names: Sequence[tuple[str, str]] = NAMES
) -> Family:
    """`where is the …?`: one box, [x0,y0,x1,y1]. The phrase fits one thing of the picture alone.

    kinds   of phrases, drawn evenly: `name` (red disc), `colour` (red thing), `extreme` (smallest red thing, by area),
            `relation` (red disc left of the blue bar, where there are two red discs) and `chain`, a relation of two
            steps
    """
    if unknown := [kind for kind in kinds if kind not in _PHRASES]:
        raise UserError(f"phrases are of the kinds {', '.join(_PHRASES)}; not {unknown[0]!r}")

    def family(draw: random.Random) -> tuple[Scene, Question] | None:
        kind = draw.choice(list(kinds))
        count = draw.randint(max(fewest, _LEAST.get(kind, 1)), max(most, _LEAST.get(kind, 1)))
        held = draw.choices(names, k=count)
        if kind in ("relation", "chain"):
            held[1] = held[0]
        scene = scattered(held, draw, _SIZE, draw.getrandbits(60))
        spoken = scene and _PHRASES[kind](scene, draw)
        if not scene or not spoken:
            return None
        phrase, thing = spoken
        answer = json.dumps(list(thing.box), separators=(",", ":"))
        return scene, Question(f"where is the {phrase}?", answer, {"kind": kind})

    return family


def _only(things: Sequence[Thing]) -> Thing | None:
    return things[0] if len(things) == 1 else None


def _named(scene: Scene, draw: random.Random) -> tuple[str, Thing] | None:
    one = draw.choice(scene.things)
    return (one.name, one) if _only([o for o in scene.things if o.name == one.name]) else None


def _coloured(scene: Scene, draw: random.Random) -> tuple[str, Thing] | None:
    one = draw.choice(scene.things)
    return (f"{one.colour} thing", one) if _only([o for o in scene.things if o.colour == one.colour]) else None


def _extreme(scene: Scene, draw: random.Random) -> tuple[str, Thing] | None:
    word = draw.choice(("smallest", "largest"))
    best = sorted(scene.things, key=lambda one: one.area if word == "smallest" else -one.area)
    if len(best) < 2 or abs(best[0].area - best[1].area) < 12:
        return None
    return f"{word} thing", best[0]


def beside(thing: Thing, side: str, other: Thing) -> bool:
    """Whether the middle of one is on this side of the middle of the other, by a pixel and a half or more."""
    dx, dy = thing.middle[0] - other.middle[0], thing.middle[1] - other.middle[1]
    return {"left of": -dx, "right of": dx, "above": -dy, "below": dy}[side] >= 1.5


def _related(scene: Scene, draw: random.Random) -> tuple[str, Thing] | None:
    one, other, side = draw.choice(scene.things), draw.choice(scene.things), draw.choice(SIDES)
    alike = [o for o in scene.things if o.name == one.name]
    if len(alike) < 2 or other.name == one.name or not _only([o for o in scene.things if o.name == other.name]):
        return None
    fitting = [o for o in alike if beside(o, side, other)]
    return (f"{one.name} {side} the {other.name}", one) if fitting == [one] else None


def _chained(scene: Scene, draw: random.Random) -> tuple[str, Thing] | None:
    begun, side = _related(scene, draw), draw.choice(SIDES)
    if begun is None:
        return None
    phrase, one = begun
    # The thing that is on this side of the one that the phrase means.
    far = [o for o in scene.things if o.name != one.name and not phrase.endswith(o.name) and beside(o, side, one)]
    target = _only(far)
    return (f"thing {side} the {phrase}", target) if target else None


_PHRASES: dict[str, Callable[[Scene, random.Random], tuple[str, Thing] | None]] = {
    "name": _named, "colour": _coloured, "extreme": _extreme, "relation": _related, "chain": _chained,
}  # fmt: skip
_LEAST = {"colour": 2, "extreme": 2, "relation": 3, "chain": 4}
