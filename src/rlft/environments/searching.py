"""Where to look next, as a choice among candidates: first a room, then a place in it, or all places at once.

After ReasonNavi (arXiv:2602.15864): a plan is cut into rooms, each has a few nodes from which it is seen, and
whoever chooses says a number and never a coordinate; a deterministic planner does the rest. Who chooses is not known
here: `policies.control.chooser` has networks, `environments.navigate` asks language models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from rlft.environments.houses import GOALS, LANDMARKS
from rlft.environments.occupancy import FAR, Sight, nodes, rooms
from rlft.environments.walking import Place, Walk, walked

Staging = Literal["two", "one"]
# Of what is looked for, of furniture near and in the room; then what `_told` says last.
FEATURES = len(GOALS) + 2 * len(LANDMARKS) + 7
_SCALE = 30.0  # cells; what distances and places are measured in


@runtime_checkable
class Choice(Protocol):
    """An episode of choices among candidates, whose number differs from one to the next."""

    def candidates(self) -> Float64[np.ndarray, "K F"] | None:
        """What is known of each candidate; None when the episode is over."""
        ...

    def choose(self, place: int) -> None:
        """The one with this number."""
        ...

    def point(self, x: float, y: float) -> None:
        """Instead of any of them a place, in the unit in which candidates know theirs."""
        ...

    def outcome(self) -> object:
        """What it came to."""
        ...


@dataclass(frozen=True)
class Searched:
    """How a search went.

    success   whether the goal was reached
    steps     that were walked
    shortest  that would have been enough
    tries     places that were chosen
    """

    success: bool
    steps: int
    shortest: int
    tries: int


@dataclass(frozen=True)
class Candidate:
    """A room, or a node: its cells (those that the node sees in its room), where to walk, and its room's number."""

    cells: frozenset[int]
    at: int
    room: int
    marks: tuple[str, ...]


class Layout:
    """A plan's rooms and their nodes. `door` cells is the widest door."""

    def __init__(self, place: Place, door: int = 1, most: int = 4):
        labels = rooms(place.shown, door)
        width = labels.shape[1]
        sight = Sight(place.shown, place.reach)
        self.rooms: list[Candidate] = []
        self.nodes: list[list[Candidate]] = []
        for number in range(labels.max() + 1):
            own = np.flatnonzero(labels.ravel() == number).tolist()
            inside = frozenset(own)
            marks = [
                (name, cell)
                for name, cell in place.landmarks
                if not inside.isdisjoint((cell - 1, cell + 1, cell - width, cell + width, cell))
            ]
            found = []
            for node in nodes(place.shown, own, sight, most):
                seen = sight.of(node)
                near = tuple(name for name, cell in marks if cell in seen)
                found.append(Candidate(seen & inside, node, number, near))
            self.nodes.append(found)
            self.rooms.append(Candidate(inside, _central(own, width), number, tuple(name for name, _ in marks)))


def _central(own: Sequence[int], width: int) -> int:
    """The cell nearest to the mean of these; of equals the first."""
    ys, xs = np.divmod(np.array(own), width)
    return own[int(((ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2).argmin())]


class Search:
    """A `Choice`: look for the goal of a place, `tries` places at most.

    staging  "two": a room among all, then a node in it, where it has more than one that was not chosen; "one": a node
             among those of all rooms
    most     steps after which the walk is over

    What was chosen is no candidate again. The detector is exact: who sees the goal knows it, and walks to it.
    """

    def __init__(self, place: Place, layout: Layout, staging: Staging = "two", tries: int = 3, most: int = 100):
        self.place, self.layout, self.staging, self.tries = place, layout, staging, tries
        self.most, self.walk = most, walked(place, most, ())
        self.tried: tuple[int, ...] = ()
        self.room: int | None = None
        self._ask()

    def candidates(self) -> Float64[np.ndarray, "K F"] | None:
        """Rooms, or nodes: [K F]; None when the goal was found, or nothing is left to choose or to walk."""
        if not self.asked:
            return None
        return _told(self.layout, self.walk, tuple(self.asked), 1 - len(self.tried) / self.tries)

    def choose(self, place: int) -> None:
        """A room, of which a node is chosen next, or a node to walk to."""
        chosen = self.asked[place]
        if self.staging == "two" and self.room is None:
            self.room = chosen.room
            left = self._left(chosen.room)
            if len(left) > 1:
                self.asked = left
                return
            chosen = left[0]
        self.go(chosen.at)

    def point(self, x: float, y: float) -> None:
        """Walk to the free cell of the plan that is nearest to (x, y)."""
        cells = np.flatnonzero(self.place.shown.ravel())
        ys, xs = np.divmod(cells, self.place.shown.shape[1])
        self.go(int(cells[((ys - y * _SCALE) ** 2 + (xs - x * _SCALE) ** 2).argmin()]))

    def outcome(self) -> Searched:
        """How it went."""
        shortest = max(self.place.shortest, 1)
        return Searched(self.walk.success, self.walk.steps, shortest, len(self.tried))

    def right(self) -> int:
        """Which of the candidates leads to the goal: the room that it is in, or the node that sees it, the nearest."""
        goal, width = self.place.goals[0], self.place.shown.shape[1]
        y, x = divmod(goal, width)

        def off(one: Candidate) -> tuple[bool, int]:
            return goal not in one.cells, min(abs(c // width - y) + abs(c % width - x) for c in one.cells | {one.at})

        return min(range(len(self.asked)), key=lambda place: off(self.asked[place]))

    def aim(self) -> tuple[float, float]:
        """Where the goal is, as `point` takes it."""
        y, x = divmod(self.place.goals[0], self.place.shown.shape[1])
        return x / _SCALE, y / _SCALE

    def described(self) -> list[str]:
        """Each candidate in words."""
        far = self.walk.distances()
        return [self._words(one, far) for one in self.asked]

    def go(self, cell: int) -> None:
        """Look at this place, candidate or not."""
        self.tried += (cell,)
        self.walk = walked(self.place, self.most, self.tried)
        self._ask()

    def _ask(self) -> None:
        """What can be chosen now, first of all."""
        self.room, self.asked = None, list[Candidate]()
        if self.walk.over or len(self.tried) >= self.tries:
            return
        if self.staging == "one":
            self.asked = [one for room in range(len(self.layout.nodes)) for one in self._left(room)]
        else:
            self.asked = [one for one in self.layout.rooms if self._left(one.room)]

    def _left(self, room: int) -> list[Candidate]:
        return [one for one in self.layout.nodes[room] if one.at not in self.tried]

    def _words(self, one: Candidate, far: Sequence[int]) -> str:
        seen = len(one.cells & self.walk.seen) / max(len(one.cells), 1)
        kind = "a room" if one is self.layout.rooms[one.room] else f"a place in room {one.room + 1}"
        marks = ", ".join(one.marks) if one.marks else "nothing known"
        way = f"{far[one.at]} steps away" if far[one.at] < FAR else "no way known"
        return f"{kind} with {marks}; {way}; {seen:.0%} seen"


@lru_cache(maxsize=2048)
def _told(layout: Layout, walk: Walk, asked: tuple[Candidate, ...], left: float) -> Float64[np.ndarray, "K F"]:
    """What is known of candidates: goal, furniture near and in the room; then cells, the share of them that was seen,
    steps to it, x, y, whether it is a room, and the share of choices that is left."""
    far, place = walk.distances(), walk.place
    goal = [float(place.goal == name) for name in GOALS]
    found = []
    for one in asked:
        room = layout.rooms[one.room]
        near = [float(one.marks.count(name)) for name in LANDMARKS]
        around = [float(room.marks.count(name)) for name in LANDMARKS]
        y, x = divmod(one.at, place.shown.shape[1])
        numbers = [len(one.cells) / 50, len(one.cells & walk.seen) / max(len(one.cells), 1)]
        numbers += [min(far[one.at] / _SCALE, 3.0), x / _SCALE, y / _SCALE, float(one is room), left]
        found.append([*goal, *near, *around, *numbers])
    return np.array(found)
