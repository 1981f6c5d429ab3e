"""What one thinks who answers questions about a place seen from above: things by name, each with its plot.

    <think> car c2 red roof a1 blue 2 1 blue b3 white 1 1 white</think><answer>white</answer>

A plot is a letter, from the west, and a number, from the north. What is thought is in words of `THOUGHT_WORDS`, one
token each, and the answer follows from it, rightly or wrongly seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlft.tasks.aerial import ACROSS, VEHICLES, Ground, Place, distance, quadrant

PLOTS = [f" {letter}{number}" for number in range(1, ACROSS + 1) for letter in "abcd"]
THOUGHT_WORDS = (
    *PLOTS, *(f" {number}" for number in range(5)), " large", " small", " grass", " row", " column",
    " crossing", " none", "<think>", "</think>", "name", "list", "where",
)  # fmt: skip
Seen = Mapping[str, Any]
_MOST = 4  # that are counted


def at(thing: Seen) -> Place:
    """Where a thing is."""
    x, y = thing["at"]
    return x, y


def place(thing: Seen) -> str:
    """The name of its plot, a space before it."""
    x, y = at(thing)
    return PLOTS[y * ACROSS + x]


def listed(kind: str, things: Sequence[Seen]) -> str:
    """A kind and the plots of these things, with their colours where they have some; or ` none`."""
    return f" {kind}" + ("".join(map(coloured, things)) or " none")


def coloured(thing: Seen) -> str:
    """A thing's plot, and its colour if it has one."""
    return place(thing) + (f" {thing['colour']}" if thing["colour"] else "")


def grounds(name: str, plots: Sequence[str]) -> str:
    """The plots of this ground."""
    return f" {name}" + ("".join(spot for spot, plot in zip(PLOTS, plots, strict=True) if plot == name) or " none")


def every(seen: Ground) -> str:
    """All plots in order, each with what it is or what stands on it; of a roof whether it is large."""
    things = {place(thing): thing for thing in seen.columns()["things"]}
    return "".join(
        _named(things[spot]) if spot in things else f"{spot} {plot}"
        for spot, plot in zip(PLOTS, seen.plots, strict=True)
    )


def _named(thing: Seen) -> str:
    size = (" large" if thing["large"] else " small") if thing["kind"] == "roof" else ""
    return f"{coloured(thing)} {thing['kind']}{size}"


def concluded(kind: str, question: str, plots: Sequence[str], things: Sequence[Seen]) -> tuple[str, str]:
    """What is thought about a question by one who takes this to be there, and what follows; "" where nothing does."""
    about = question.split("the ")[-1].removeprefix("is there ").rstrip("?")
    held = [thing for thing in things if thing["kind"] == about]
    if kind == "presence" and about == "water":
        return grounds("water", plots), "yes" if "water" in plots else "no"
    if kind == "presence":
        return listed(about, held), "yes" if held else "no"
    if kind == "transport":
        held = [thing for thing in things if thing["kind"] in VEHICLES]
        return "".join(listed(thing["kind"], [thing]) for thing in held), held[0]["kind"] if held else ""
    if kind == "count":
        counted = [f"{place(thing)} {number}" for number, thing in enumerate(held[:_MOST], 1)]
        return f" {about}{''.join(counted) or ' none'}", str(len(counted)) if held else ""
    if kind == "colour":
        return listed(about, held), held[0]["colour"] if held else ""
    if kind == "quadrant":
        return listed(about, held), quadrant(at(held[0])) if held else ""
    roofs, cars = ([thing for thing in things if thing["kind"] == name] for name in ("roof", "car"))
    if kind == "size":
        sized = "".join(f"{coloured(roof)} {'large' if roof['large'] else 'small'}" for roof in roofs)
        return f" roof{sized or ' none'}", next((roof["colour"] for roof in roofs if roof["large"]), "")
    return _nearest(cars, roofs) if kind == "nearest" else _reach(plots, cars, roofs)


def _nearest(cars: Sequence[Seen], roofs: Sequence[Seen]) -> tuple[str, str]:
    said, best = far(cars[0], roofs) if cars and roofs else ("", "")
    return listed("car", cars[:1]) + " roof" + said, best


def far(one: Seen, things: Sequence[Seen]) -> tuple[str, str]:
    """Of each thing how far it is from one, and the colour of the nearest of those so far; and that of all."""
    said, best = "", things[0]
    for thing in things:
        if distance(at(thing), at(one)) < distance(at(best), at(one)):
            best = thing
        said += f"{coloured(thing)}{apart(at(one), at(thing))} {best['colour']}"
    return said, best["colour"]


def apart(a: Place, b: Place) -> str:
    """How many plots to the side, and how many up or down."""
    return f" {abs(a[0] - b[0])} {abs(a[1] - b[1])}"


def _reach(plots: Sequence[str], cars: Sequence[Seen], roofs: Sequence[Seen]) -> tuple[str, str]:
    """The crossing, if there is one; the car and the way of its road; the roof and how far it is from the crossing, or
    else from the car. What is beside one of the roads is reached: where there is no crossing, the car's alone."""
    said = grounds("crossing", plots) + listed("car", cars[:1])
    if not cars:
        return said + listed("roof", roofs[:1]), ""
    x, y = at(cars[0])
    way = plots[y * ACROSS + x]
    said += f" {way}{listed('roof', roofs[:1])}"
    if not roofs:
        return said, ""
    u, v = at(roofs[0])
    if "crossing" in plots:
        y, x = divmod(plots.index("crossing"), ACROSS)
        beside = abs(x - u) == 1 or abs(y - v) == 1
    else:
        beside = abs(y - v if way == "row" else x - u) == 1
    return said + apart((x, y), (u, v)), "yes" if beside else "no"
