"""A language model chooses where to look on the user's own map: a program for `Agents`. It is told numbered candidates
and answers with a number; the walk is simulated on the map, and what it earns is success weighted by path length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from rlft.environments.endpoint import Served
from rlft.environments.occupancy import Plan, read_plan
from rlft.environments.searching import Layout, Search, Staging
from rlft.environments.walking import Place, grid
from rlft.errors import UserError
from rlft.metrics.navigation import spl

_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_ASKED = "Answer with the number of one of them, in <answer></answer>."


def navigate(
    *,
    folder: str = ".",
    side: float | None = None,
    door: int = 1,
    reach: float = 3.0,
    staging: Staging = "two",
    tries: int = 3,
    most: int = 500,
) -> Callable[[Mapping[str, Any], Served], float]:
    """A program that asks the policy where to look on a map: `--agent "navigate(side=0.25, door=4)" --reward result`.

    folder   where the maps of the data lie
    side     of the cells that are walked on, in metres, such as the robot's width; None is the map's own
    door     cells of the widest door
    reach    how far is seen, in metres
    staging  "two": a room, then a place in it; "one": a place among all
    tries    places that are looked at
    most     steps, of a cell each, after which a search is over

    A row of the data has `map`, a file that `occupancy.read_plan` reads, and in metres `start` [x, y], `landmarks`
    {name: [[x, y], …]}, and `goal_at` [[x, y], …]; what is looked for is its `goal`, or its input. Where the world is
    not as the map shows it, `truth` is another file. What it returns is the SPL of the walk. An answer that names no
    candidate is told so once; after a second one the search ends without success.
    """
    if side is not None and not side > 0:
        raise UserError(f"cells have a side of more than 0 metres, not {side}")
    if door < 1 or tries < 1 or most < 1 or not reach > 0:
        raise UserError(f"a search needs doors, tries, steps and sight, not {door=}, {tries=}, {most=}, {reach=}")
    if staging not in ("one", "two"):
        raise UserError(f'a choice is in stages, "two", or "one" at once, not {staging!r}')

    def play(problem: Mapping[str, Any], endpoint: Served) -> float:
        place = place_of(problem, Path(folder), side, reach)
        search = Search(place, _layout(place, door), staging, tries, most)
        messages: list[dict[str, str]] = []
        while search.asked:
            answer = _answered(asked(search), len(search.asked), messages, endpoint)
            if answer is None:
                return 0.0
            search.choose(answer)
        found = search.outcome()
        numbers = torch.tensor([[float(found.shortest)], [float(found.steps)]])
        return float(spl(torch.tensor([found.success]), *numbers))

    return play


@lru_cache(maxsize=256)
def _plan(path: Path, side: float | None) -> Plan:
    return read_plan(path, side)


_layouts: dict[tuple[Any, ...], Layout] = {}


def _layout(place: Place, door: int) -> Layout:
    """The rooms of a map are cut once, whatever is looked for."""
    key = (place.shown.tobytes(), place.shown.shape, place.landmarks, place.reach, door)
    if key not in _layouts:
        if len(_layouts) >= 256:
            _layouts.clear()
        _layouts[key] = Layout(place, door)
    return _layouts[key]


def place_of(row: Mapping[str, Any], folder: Path, side: float | None, reach: float) -> Place:
    """What a row of the data describes; `UserError` for what is missing."""
    for name in ("map", "start", "goal_at"):
        if row.get(name) is None:
            raise UserError(
                f"a row to navigate by has `map`, `start` and `goal_at`; {name} is missing from {list(row)}"
            )
    plan = _plan(folder / row["map"], side)
    true = _plan(folder / row["truth"], side) if row.get("truth") else plan
    if true.free.shape != plan.free.shape:
        raise UserError(f"the truth of {row['map']} has the shape {true.free.shape}, the map {plan.free.shape}")
    try:
        start = _cell(plan, row["start"])
        goals = tuple(_cell(plan, spot) for spot in row["goal_at"])
        marks = tuple((n, _cell(plan, spot)) for n, spots in (row.get("landmarks") or {}).items() for spot in spots)
    except (TypeError, ValueError, AttributeError):
        raise UserError("start is [x, y], goal_at a list of such places, landmarks a list of them by name") from None
    goal = str(row.get("goal") or row.get("input") or "goal")
    around = max(round(reach / plan.side), 1)
    place = Place(true.free, plan.free, marks, goal, _standing(goals, true), start, around)
    if not place.shortest:
        raise UserError(f"the start {row['start']} is within a step of the goal: there is nothing to look for")
    return place


def _cell(plan: Plan, spot: Any) -> int:
    x, y = map(float, spot)
    return plan.cell(x, y)


def _standing(goals: Sequence[int], plan: Plan) -> tuple[int, ...]:
    """The goals, or where one stands on a table the free cells beside it."""
    free, found = plan.free.ravel(), []
    around = grid(*plan.free.shape)
    for cell in goals:
        found += [cell] if free[cell] else [near for near in around[cell] if free[near]]
    if not found:
        raise UserError("no goal lies on or beside a place of the map where one can stand")
    return tuple(dict.fromkeys(found))


def asked(search: Search) -> str:
    """What the policy is asked: the candidates, numbered from 1."""
    stage = "Where do you look next? The places are:" if search.room is not None or search.staging == "one" else ""
    stage = stage or "In which room do you look next? The rooms of the map are:"
    lines = [f"{number}. {words}" for number, words in enumerate(search.described(), 1)]
    return "\n".join([f"You are looking for: {search.place.goal}.", stage, *lines, _ASKED])


def parsed(reply: str, count: int) -> int | None:
    """Which of `count` candidates a reply names, from 0; None where it names none, several, or one that is not there.

    The last <answer> counts; without one, the only number in the text.
    """
    tags = _TAG.findall(reply)
    numbers = set(re.findall(r"-?\d+(?:\.\d+)?", tags[-1] if tags else reply))
    if len(numbers) != 1:
        return None
    word = numbers.pop()
    return int(word) - 1 if word.isdigit() and 1 <= int(word) <= count else None


def _answered(words: str, count: int, messages: list[dict[str, str]], endpoint: Served) -> int | None:
    """The policy's choice; it is asked once more after an answer that is none."""
    for said in (words, f"That is none of the {count} candidates. {_ASKED}"):
        messages.append({"role": "user", "content": said})
        reply = endpoint.ask(messages)
        messages.append({"role": "assistant", "content": reply})
        found = parsed(reply, count)
        if found is not None:
            return found
    return None
