"""Questions about sounds, each with four options of which one is right: what is heard, in which order, how. No file.

Each sound is made on demand from its index; splits are disjoint by what is in it. The answer is an option's text.
Questions, options, answers and notes are words of `WORDS`, one token each for `models.small_language.word_tokenizer`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from rlft.errors import UserError
from rlft.tasks.drawn import Drawn, Family, Question
from rlft.tasks.sounds import (
    COUNTS,
    KINDS,
    LENGTHS,
    LOUDNESS,
    PITCHED,
    PITCHES,
    TIMBRES,
    Event,
    Sound,
    event,
    sequenced,
)

# Problems about sounds: their columns are those of `Sound.columns`, and `kind`, `anchor`, `options` of the question.
Tones = Drawn
_WAYS = {"rise": "up", "fall": "down"}
_TURNS = tuple("-".join(turn) for turn in product(_WAYS.values(), repeat=2))

# Whether an option is right, for what was heard; the event that the question names is "" where it names none.
Fits = Callable[[str, Sequence[Event], str], bool]
# Events, the named one, the right option and the others, as they are to be told apart.
Asked = tuple[list[Event], str, str, list[str]]


@dataclass(frozen=True)
class Kind:
    """A kind of question.

    text   the question, before the event that it names
    draws  a sound for it
    fits   whether an option is right
    notes  the word before an event's kind in notes, where the question is about more than kinds
    """

    text: str
    draws: Callable[[random.Random], Asked]
    fits: Fits
    notes: Callable[[Event], str] = lambda one: ""


def _some(draw: random.Random, fewest: int, most: int, kinds: Sequence[str] = KINDS) -> list[Event]:
    return [event(kind, draw) for kind in draw.sample(kinds, draw.randint(fewest, most))]


def _among(
    draw: random.Random, events: list[Event], right: str, anchor: str = "", kinds: Sequence[str] = KINDS
) -> Asked:
    """The other options are kinds that are heard too, as far as there are such."""
    heard = [one.kind for one in events]
    others = [kind for kind in kinds if kind not in (right, anchor)]
    draw.shuffle(others)
    return events, anchor, right, sorted(others, key=lambda kind: kind not in heard)[:3]


def _heard(draw: random.Random) -> Asked:
    events = _some(draw, 2, 3)
    heard = [one.kind for one in events]
    return events, "", draw.choice(heard), draw.sample([kind for kind in KINDS if kind not in heard], 3)


def _missing(draw: random.Random) -> Asked:
    events = _some(draw, 3, 4)
    heard = [one.kind for one in events]
    return events, "", draw.choice([kind for kind in KINDS if kind not in heard]), draw.sample(heard, 3)


def _at(place: int) -> Callable[[random.Random], Asked]:
    def draws(draw: random.Random) -> Asked:
        events = _some(draw, 2, 4)
        return _among(draw, events, events[place].kind)

    return draws


def _beside(step: int) -> Callable[[random.Random], Asked]:
    def draws(draw: random.Random) -> Asked:
        events = _some(draw, 3, 4)
        named = draw.randrange(max(0, -step), len(events) - max(0, step))
        return _among(draw, events, events[named + step].kind, events[named].kind)

    return draws


def _loudest(draw: random.Random) -> Asked:
    kinds = draw.sample(KINDS, draw.randint(2, 4))
    right = draw.choice(kinds)
    events = [event(kind, draw, loudness="loud" if kind == right else "soft") for kind in kinds]
    return _among(draw, events, right)


def _longest(draw: random.Random) -> Asked:
    lasting = [kind for kind in KINDS if kind != "clicks"]
    kinds = draw.sample(lasting, draw.randint(2, 4))
    right = draw.choice(kinds)
    events = [event(kind, draw, length="long" if kind == right else "short") for kind in kinds]
    return _among(draw, events, right, kinds=lasting)


def _highest(draw: random.Random) -> Asked:
    while True:
        events = _some(draw, 2, 4, PITCHED)
        best = _highest_of(events)
        if len(best) == 1:
            return _among(draw, events, best[0].kind, kinds=PITCHED)


def _highest_of(events: Sequence[Event]) -> list[Event]:
    ranks = [[*PITCHES, ""].index(one.pitch) if one.pitch else -1 for one in events]
    return [one for one, rank in zip(events, ranks, strict=True) if rank == max(ranks) >= 0]


def _clicks(draw: random.Random) -> Asked:
    events = [event("clicks", draw), *_some(draw, 1, 3, [kind for kind in KINDS if kind != "clicks"])]
    right = events[0].count
    draw.shuffle(events)
    return events, "", str(right), [str(count) for count in COUNTS if count != right]


def _chirps(draw: random.Random) -> Asked:
    chirps = [event(draw.choice([*_WAYS]), draw) for _ in range(2)]
    right = _turn(chirps)
    events = [*chirps, *_some(draw, 0, 2, [kind for kind in KINDS if kind not in _WAYS])]
    order = sorted(draw.sample(range(len(events)), 2))
    others = iter(events[2:])
    placed = [chirps[order.index(i)] if i in order else next(others) for i in range(len(events))]
    return placed, "", right, [turn for turn in _TURNS if turn != right]


def _turn(events: Sequence[Event]) -> str:
    return "-".join(_WAYS[one.kind] for one in events if one.kind in _WAYS)


TYPES: Mapping[str, Kind] = {
    "heard": Kind("which is heard", _heard, lambda o, heard, named: any(one.kind == o for one in heard)),
    "missing": Kind("which is not heard", _missing, lambda o, heard, named: all(one.kind != o for one in heard)),
    "first": Kind("which is first", _at(0), lambda o, heard, named: heard[0].kind == o),
    "last": Kind("which is last", _at(-1), lambda o, heard, named: heard[-1].kind == o),
    "after": Kind(
        "what follows the ",
        _beside(1),
        lambda o, heard, named: any((a.kind, b.kind) == (named, o) for a, b in pairwise(heard)),
    ),
    "before": Kind(
        "what comes before the ",
        _beside(-1),
        lambda o, heard, named: any((a.kind, b.kind) == (o, named) for a, b in pairwise(heard)),
    ),
    "loudest": Kind(
        "which is loudest",
        _loudest,
        lambda o, heard, named: any((one.kind, one.loudness) == (o, "loud") for one in heard),
        lambda one: f"{one.loudness} ",
    ),
    "longest": Kind(
        "which is longest",
        _longest,
        lambda o, heard, named: any((one.kind, one.length) == (o, "long") for one in heard),
        lambda one: f"{one.length} " if one.length else "",
    ),
    "highest": Kind(
        "which is highest",
        _highest,
        lambda o, heard, named: any(one.kind == o for one in _highest_of(heard)),
        lambda one: f"{one.pitch} " if one.pitch else "",
    ),
    "clicks": Kind(
        "how many clicks",
        _clicks,
        lambda o, heard, named: any(str(one.count) == o for one in heard if one.kind == "clicks"),
        lambda one: f"{one.count} " if one.count else "",
    ),
    "chirps": Kind("which way do the two chirps go", _chirps, lambda o, heard, named: _turn(heard) == o),
}
# What a prompt ends with: the answer alone is wanted, or notes and then the answer.
PROMPTS = {"answer": " answer", "think": " think"}
_ATTRIBUTES = [f"{word} " for word in (*LOUDNESS, *LENGTHS, *PITCHES, *COUNTS)]
WORDS = (
    *(kind.text for kind in TYPES.values()), *KINDS, *map(str, COUNTS), *_TURNS, *_ATTRIBUTES, ": ", ", ", "?",
    *PROMPTS.values(), "<think>", "</think>", "<answer>", "</answer>",
)  # fmt: skip


def listening(
    kinds: Sequence[str] = tuple(TYPES), timbres: Sequence[str] = TIMBRES, prompts: Sequence[str] = ("answer",)
) -> Family:
    """`which is first: noise, rise, clicks, tone? answer`: kinds of questions, timbres and prompts, drawn evenly.

    Raises UserError for one that there is not.
    """
    for given, known in ((kinds, TYPES), (timbres, TIMBRES), (prompts, PROMPTS)):
        if unknown := [name for name in given if name not in known]:
            raise UserError(f"questions about sounds know {', '.join(known)}; not {unknown[0]!r}")

    def family(draw: random.Random) -> tuple[Sound, Question]:
        kind = draw.choice(list(kinds))
        events, named, right, others = TYPES[kind].draws(draw)
        options = [right, *others]
        draw.shuffle(options)
        text = f"{TYPES[kind].text}{named}: {', '.join(options)}?{PROMPTS[draw.choice(list(prompts))]}"
        told = {"kind": kind, "anchor": named, "options": options}
        return sequenced(events, draw, timbres), Question(text, right, told)

    return family


def fitting(kind: str, options: Sequence[str], heard: Sequence[Event], named: str = "") -> list[str]:
    """The options that are right for what was heard; one, where all of it was heard as it is."""
    return [option for option in options if TYPES[kind].fits(option, heard, named)]


def notes(kind: str, heard: Sequence[Event]) -> str:
    """What was heard, in its order, with what this kind of question is about: `soft tone, loud clicks`."""
    return ", ".join(f"{TYPES[kind].notes(one)}{one.kind}" for one in heard)
