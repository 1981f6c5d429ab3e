"""Someone who walks on a map and sees a little way: a planner on what is known so far, and the nearest frontier.

Nothing here decides where to look; `environments.searching` does.
"""

from __future__ import annotations

import copy
import heapq
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool

from rlft.environments.occupancy import FAR, Sight, distances, neighbours
from rlft.errors import UserError

UNKNOWN, FREE, OCCUPIED = range(3)


@dataclass(frozen=True, eq=False)
class Place:
    """A map as it is and as a plan shows it, where one starts, and what is to be found.

    free       where one can stand
    shown      the plan: the same but for doors that are closed, or that it does not show
    landmarks  what the plan shows besides, name and cell
    goal       the name of what is looked for
    goals      its cells, which no plan shows; one of them is enough
    start      the first cell
    reach      how far is seen, in cells
    """

    free: Bool[np.ndarray, "H W"]
    shown: Bool[np.ndarray, "H W"]
    landmarks: tuple[tuple[str, int], ...]
    goal: str
    goals: tuple[int, ...]
    start: int
    reach: int = 3

    def __post_init__(self) -> None:
        flat = self.free.ravel()
        for name, cells in (("start", (self.start,)), ("goal", self.goals)):
            if not cells or not all(0 <= cell < flat.size and flat[cell] for cell in cells):
                raise UserError(f"the {name} is at cell {cells}, where nobody can stand; give a free place")
        if self.shortest >= FAR - 1:
            raise UserError(f"there is no way from the start to the {self.goal}")

    @cached_property
    def sight(self) -> Sight:
        """What is seen from where."""
        return Sight(self.free, self.reach)

    @cached_property
    def shortest(self) -> int:
        """Steps of the shortest path to within a step of the goal; 0 where one starts there."""
        far = distances(neighbours(self.free), self.start)
        return max(min(far[cell] for cell in self.goals) - 1, 0)

    @cached_property
    def surprises(self) -> frozenset[int]:
        """Cells that are not as the plan shows them."""
        return frozenset(np.flatnonzero((self.free != self.shown).ravel()).tolist())


class Walk:
    """A walk that goes on: where one is, how far one has come, and what is known.

    It begins with the plan, or with nothing (`blind`), and everything that is seen on the way is put in. A way is
    planned on what is known, unknown cells taken for free, and planned again when something on it turns out occupied.
    Once the goal is seen, the next steps lead to within a step of it.

    most  steps after which the walk is over
    """

    def __init__(self, place: Place, most: int, blind: bool = False):
        self.place, self.most, self.steps, self.at = place, most, 0, place.start
        self.blind, self.width = blind, place.free.shape[1]
        self.beside = grid(*place.free.shape)
        self.truth = np.where(place.free, FREE, OCCUPIED).ravel().tolist()
        shown = np.where(place.shown, FREE, OCCUPIED).ravel().tolist()
        self.known: list[int] = [UNKNOWN] * len(shown) if blind else shown
        self.hidden = set(range(len(shown))) if blind else set(place.surprises)
        self.seen: set[int] = set()
        self.found: int | None = None
        self._look()

    @property
    def success(self) -> bool:
        """Whether one stands within a step of the goal, having seen it."""
        return self.found is not None and (self.at == self.found or self.found in self.beside[self.at])

    @property
    def over(self) -> bool:
        """Whether nothing more can be done."""
        return self.success or self.steps >= self.most

    def go(self, target: int) -> None:
        """Walk there, as long as it can be reached and nothing is found; then to what was found."""
        if self.found is None:
            self._follow(target, near=0)
        if self.found is not None and not self.success:
            self._follow(self.found, near=1)

    def explore(self) -> bool:
        """Walk to the nearest known cell beside an unknown one; whether there was one."""
        target = self._frontier()
        if target is None:
            return False
        self.go(target)
        return True

    def distances(self) -> list[int]:
        """Steps from here to every cell, as far as is known; `FAR` where no way is known."""
        found = [FAR] * len(self.known)
        found[self.at], edge, steps = 0, [self.at], 0
        while edge:
            steps, new = steps + 1, []
            for cell in edge:
                for near in self.beside[cell]:
                    if found[near] == FAR and self.known[near] != OCCUPIED:
                        found[near] = steps
                        new.append(near)
            edge = new
        return found

    def branched(self) -> Walk:
        """One that goes on from here by itself."""
        other = copy.copy(self)
        other.known, other.hidden, other.seen = list(self.known), set(self.hidden), set(self.seen)
        return other

    def _follow(self, target: int, near: int) -> None:
        seeking = self.found is None
        while not self.over and self.at != target:
            path = self._plan(target)
            if path is None:
                return
            for cell in path[: len(path) - near]:
                self.at, self.steps = cell, self.steps + 1
                changed = self._look()
                if self.steps >= self.most or (seeking and self.found is not None):
                    return
                if changed and any(self.known[step] == OCCUPIED for step in path):
                    break
                if self.blind and seeking and changed and not self._edges(target):
                    return
            else:
                return

    def _look(self) -> bool:
        """Put in what is seen from here; whether anything of it is news."""
        seen = self.place.sight.of(self.at)
        self.seen |= seen
        if self.found is None:
            here = [cell for cell in self.place.goals if cell in seen]
            self.found = here[0] if here else None
        news = self.hidden & seen
        for cell in news:
            self.known[cell] = self.truth[cell]
        self.hidden -= news
        return bool(news)

    def _plan(self, target: int) -> list[int] | None:
        """A*: the cells of a shortest way, without the first; None where there is none."""
        ty, tx = divmod(target, self.width)
        waiting, came, cost = [(0, 0, self.at)], {self.at: -1}, {self.at: 0}
        while waiting:
            _, done, cell = heapq.heappop(waiting)
            if cell == target:
                return self._back(came, target)
            if -done > cost[cell]:
                continue
            for near in self.beside[cell]:
                new = cost[cell] + 1
                if self.known[near] != OCCUPIED and new < cost.get(near, FAR):
                    came[near], cost[near] = cell, new
                    y, x = divmod(near, self.width)
                    # of equals the one that has come further: fewer are opened
                    heapq.heappush(waiting, (new + abs(y - ty) + abs(x - tx), -new, near))
        return None

    def _back(self, came: dict[int, int], target: int) -> list[int]:
        path = [target]
        while came[path[-1]] >= 0:
            path.append(came[path[-1]])
        return path[-2::-1]

    def _frontier(self) -> int | None:
        """The nearest cell known to be free beside one that is unknown; None where all is known."""
        met, edge = {self.at}, [self.at]
        while edge:
            new = []
            for cell in edge:
                if cell != self.at and self._edges(cell):
                    return cell
                for near in self.beside[cell]:
                    if near not in met and self.known[near] == FREE:
                        met.add(near)
                        new.append(near)
            edge = new
        return None

    def _edges(self, cell: int) -> bool:
        return any(self.known[near] == UNKNOWN for near in self.beside[cell])


@lru_cache(maxsize=64)
def grid(height: int, width: int) -> list[list[int]]:
    """The cells beside each cell of an array, free or not."""
    return neighbours(np.ones((height, width), bool))


@lru_cache(maxsize=2048)
def walked(place: Place, most: int, targets: tuple[int, ...]) -> Walk:
    """The walk to one target after the other on the plan; it is shared by who walks the same way, and goes no further.

    So a group of searches in one house walks each way once.
    """
    if not targets:
        return Walk(place, most)
    walk = walked(place, most, targets[:-1]).branched()
    walk.go(targets[-1])
    return walk


def explored(place: Place, most: int) -> Walk:
    """Frontier exploration without a plan: always to the nearest frontier. Yamauchi 1997."""
    walk = Walk(place, most, blind=True)
    walk.go(walk.at)
    while not walk.over and walk.explore():
        pass
    return walk
