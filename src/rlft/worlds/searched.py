"""Lost things in houses whose plans are known, and who chooses where to look has seen where such things were found.

ReasonNavi (arXiv:2602.15864) trains nothing: a multimodal model's common sense chooses. Here that sense is imitated by
a small network from searches that end at the goal, so that the same network, with the same lessons, can be asked in
other ways: for a room and then a place, for one of all places, for a pair of coordinates.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.environments.houses import house
from rlft.environments.searching import FEATURES, Layout, Search, Searched, Staging
from rlft.environments.walking import explored
from rlft.measure.navigation import navigation, paid_by_spl
from rlft.noise import hashed
from rlft.policies.control.chooser import Chooser, Pointer
from rlft.types import Measure, Problem, Rollouts, UserError
from rlft.worlds import World

# Raised when a base would come out otherwise.
VERSION = 2
Who = Literal["chooser", "pointer", "frontier", "oracle"]
WIDTH, _BATCH = 64, 64


def searched(
    who: Who = "chooser",
    staging: Staging = "two",
    tries: int = 3,
    most: int = 100,
    reach: int = 3,
    shown: int = 400,
    imitation: int = 600,
    imitation_lr: float = 1e-3,
    houses: int = 300,
    compared: bool = False,
    seed: int = 0,
) -> World:
    """Search for a lost thing in a house whose plan is known.

    Args:
        who: chooses where to look: a network that picks one of the candidates, one that points at a place, nobody
            (frontier exploration without the plan), or one who knows.
        staging: two asks for a room and then for a place in it, one for a place among all.
        tries: places that may be looked at.
        most: steps after which a search is over.
        reach: cells that are seen.
        shown: houses in which it was shown where the lost thing was.
        imitation: supervised steps of the base, 64 houses each.
        imitation_lr: learning rate of the base.
        houses: held-out ones, others for each seed and the same for every arm.
        compared: also walk by frontier exploration in them, and say `ratio`, how many times its SPL it is.
        seed: of everything random, the houses and the base too.
    """
    if min(tries, most, reach, shown, houses) < 1:
        raise UserError(f"a search needs tries, steps, sight and houses, at least 1 of each; got {tries=}, {most=}")
    train = Houses(seed, "train", shown, staging, who == "pointer", tries, most, reach)
    test = Houses(seed, "test", houses, staging, who == "pointer", tries, most, reach)
    kind = Pointer if who == "pointer" else Chooser
    policy = taught(kind, train, imitation, imitation_lr, seed)
    known = {"frontier": Exploring(most), "oracle": Knowing()}
    deploy = known.get(who) or policy.deterministic()
    measures: list[Measure] = [navigation, *([partial(against_frontier, most)] if compared else [])]
    return World(policy, train, test, paid_by_spl, measures=measures, deploy=deploy)


class Houses:
    """Problem i is house i of a seed and split; `answer` is a lesson, see `policies.control.chooser`."""

    name = "houses"

    def __init__(
        self, seed: int, split: str, size: int, staging: Staging, points: bool, tries: int, most: int, reach: int
    ):
        self.seed, self.split, self.size = seed, split, size
        self.staging: Staging = staging
        self.points, self.tries, self.most, self.reach = points, tries, most, reach

    @property
    def decisions(self) -> int:
        """Choices in a search, at most."""
        return self.tries * (2 if self.staging == "two" else 1)

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        if not 0 <= index < self.size:
            raise UserError(f"there are {self.size} houses, none with index {index}")
        if self.split == "test":
            return Problem(index, {"seed": self.seed, "reach": self.reach}, task=self.name, split=self.split)
        lesson = _lesson(self.seed, self.split, index, self.staging, self.points, self.tries, self.most, self.reach)
        return Problem(index, {"seed": self.seed, "reach": self.reach}, lesson, task=self.name, split=self.split)

    def begin(self, problem: Problem) -> Search:
        """A search in its house."""
        return search(problem, self.staging, self.tries, self.most)


def search(problem: Problem, staging: Staging, tries: int, most: int) -> Search:
    """A search in the house of a problem."""
    key = (problem.input["seed"], problem.split, problem.index, problem.input["reach"])
    return Search(house(*key), _layout(*key), staging, tries, most)


@lru_cache(maxsize=1024)
def _layout(seed: int, split: str, index: int, reach: int) -> Layout:
    return Layout(house(seed, split, index, reach))


@lru_cache(maxsize=1024)
def _lesson(
    seed: int, split: str, index: int, staging: Staging, points: bool, tries: int, most: int, reach: int
) -> tuple[tuple[np.ndarray, Any], ...]:
    """What is right after none, one or two wrong places, the same ones whichever way is asked.

    A wrong place from which the goal is seen after all is not looked at.
    """
    draw = random.Random(hashed("lesson", seed, split, index))
    problem = Problem(index, {"seed": seed, "reach": reach}, task=Houses.name, split=split)
    told = search(problem, staging, tries, most)
    nodes = [one for room in told.layout.nodes for one in room if told.place.goals[0] not in one.cells]
    for one in draw.sample(nodes, min(draw.randrange(tries), len(nodes))):
        trial = search(problem, staging, tries, most)
        for before in [*told.tried, one.at]:
            trial.go(before)
        if not trial.walk.over:
            told = trial
    found = []
    while not told.walk.over and told.asked:
        seen, right = told.candidates(), told.right()
        assert seen is not None
        if points:
            return ((seen, told.aim()),)
        found.append((seen, right))
        staged, told_before = told.staging == "two" and told.room is None, len(told.tried)
        told.choose(right)
        if not staged or len(told.tried) > told_before:
            break
    return tuple(found)


def taught(
    kind: type[Chooser] | type[Pointer], task: Houses, imitation: int, lr: float, seed: int
) -> Chooser | Pointer:
    """The network after so many batches of lessons, built once and then read from the cache."""
    policy = kind(task.begin, task.decisions, FEATURES, WIDTH, seed)
    told = (VERSION, kind.__name__, task.staging, task.tries, task.most, task.reach, task.size, imitation, lr, seed)

    def build() -> dict[str, Tensor]:
        _imitate(policy, task, imitation, lr, seed)
        return policy.state_dict()

    policy.load_state_dict(cached(f"searched/{hashed(*told):x}.safetensors", build, save_file, load_file))
    return policy


def _imitate(policy: Chooser | Pointer, task: Houses, steps: int, lr: float, seed: int) -> None:
    rows = policy.demonstrate([task.at(index) for index in range(task.size)], seed)
    chance, optimizer = torch.Generator().manual_seed(seed), torch.optim.Adam(policy.parameters(), lr=lr)
    for _ in range(steps):
        batch = rows[torch.randint(len(rows), (_BATCH,), generator=chance)]
        optimizer.zero_grad()
        (policy.loss_on(batch).sum() / batch.mask.sum()).backward()
        optimizer.step()


class Exploring:
    """A `Sampler` that knows no plan and walks to the nearest frontier."""

    def __init__(self, most: int):
        self.most = most

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """The same walk `group` times for each problem."""
        return _undecided(problems, group, [by_frontier(problem, self.most) for problem in problems])


class Knowing:
    """A `Sampler` that knows where the goal is, and has the planner walk there on the plan."""

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """The same walk `group` times for each problem."""
        found = []
        for problem in problems:
            told = search(problem, "one", 1, 10**6)
            told.go(told.place.goals[0])
            found.append(told.outcome())
        return _undecided(problems, group, found)


def by_frontier(problem: Problem, most: int) -> Searched:
    """How frontier exploration goes in the house of a problem."""
    place = house(problem.input["seed"], problem.split, problem.index, problem.input["reach"])
    walk = explored(place, most)
    return Searched(walk.success, walk.steps, max(place.shortest, 1), 0)


def against_frontier(most: int, problems: Sequence[Problem], outputs: Sequence[Searched]) -> dict[str, float]:
    """`ratio`: SPL over that of frontier exploration in the same houses."""
    theirs = sum(paid_by_spl(problems, [by_frontier(problem, most) for problem in problems]))
    return {"ratio": sum(paid_by_spl(problems, outputs)) / max(theirs, 1e-9)}


def _undecided(problems: Sequence[Problem], group: int, outputs: Sequence[Searched]) -> Rollouts:
    rows = tuple(problem for problem in problems for _ in range(group))
    empty = torch.zeros(len(rows), 1)
    return Rollouts(rows, group, [one for one in outputs for _ in range(group)], {}, empty.bool(), empty)
