"""Rooms in a grid with a door between neighbours, and a goal that is seen only from its room. Not MiniGrid's code.

After MiniGrid's FourRooms (arXiv:2306.13831), batched: states are tensors, layouts come from keys. The player steps in
four directions and does not turn. The policy that searches them has imitated clumsy episodes of one who knows the way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.environments.play import play
from rlft.environments.protocol import Discrete, Episode, Step
from rlft.measure.coverage import coverage
from rlft.noise import ACTION, ENVIRONMENT, hashed, uniform
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, UserError
from rlft.worlds import World

# Raised when the base would come out otherwise.
VERSION = 1
# East, south, west, north; y grows to the south.
MOVES = ((1, 0), (0, 1), (-1, 0), (0, -1))
# x, y, last step (2), goal (2); then the doors to the east and to the south of each room.
_FIXED = 6


@dataclass(frozen=True)
class Rooms:
    """`down` x `across` rooms of `size` x `size` cells, walls of one cell between them, in each wall a door somewhere.

        reward = 1 - 0.9 (t + 1) / horizon at the goal, which ends the episode; else 0

    The layout, the start and the goal, which is never in the room of the start, belong to the key; nothing is random
    afterwards. A step into a wall is lost. A state is (x, y, last step, goal, the doors' places); the 23 numbers of an
    observation, all within [-1, 1] or near it, say less: where on the map, the last step, which of the four sides are
    blocked, for each side of the room whether it has a door and where from here, and the same of the goal if it is in
    this room. In a doorway both rooms are seen, and no doors. Without memory nobody knows which rooms were searched.

    starts   rooms, numbered row by row, in which episodes begin; None is any
    """

    down: int = 3
    across: int = 3
    size: int = 3
    horizon: int = 24
    starts: tuple[int, ...] | None = None

    name: str = field(default="rooms", init=False, repr=False)
    action: Discrete = field(default=Discrete(4), init=False, repr=False)
    observation_size: int = field(default=23, init=False, repr=False)

    def __post_init__(self) -> None:
        rooms = self.down * self.across
        if min(self.down, self.across, self.size, self.horizon) < 1 or rooms < 2:
            raise UserError(f"rooms need two rooms, a cell and a step at least, not {self}")
        if self.starts is not None and not (self.starts and set(self.starts) <= set(range(rooms))):
            raise UserError(f"starts are rooms from 0 to {rooms - 1}, at least one, not {self.starts}")

    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N S"]:
        rooms, size = self.down * self.across, self.size
        u = uniform(keys, 2 * rooms + 6, ENVIRONMENT)
        first = torch.tensor(self.starts or range(rooms), device=keys.device)
        start = first[(u[:, 0] * len(first)).long()]
        goal = (u[:, 1] * (rooms - 1)).long()
        goal = goal + (goal >= start)
        corner = torch.stack([start % self.across, start // self.across, goal % self.across, goal // self.across], 1)
        cells = corner * (size + 1) + (u[:, 2:6] * size).floor()
        doors = (u[:, 6:] * size).floor()
        return torch.cat([cells[:, :2], torch.zeros_like(cells[:, :2]), cells[:, 2:], doors], dim=1)

    def step(self, state: Float[Tensor, "N S"], action: Int[Tensor, "N 1"], t: int, keys: Int[Tensor, "N"]) -> Step:
        move = state.new_tensor(MOVES)[action[:, 0]]
        there = state[:, :2] + move
        move = move * self.free(state, there)[:, None]
        new = torch.cat([state[:, :2] + move, move, state[:, 4:]], dim=1)
        reached = (new[:, :2] == new[:, 4:6]).all(dim=1)
        out_of_time = torch.full_like(reached, t + 1 >= self.horizon) & ~reached
        return Step(new, reached.to(state) * (1 - 0.9 * (t + 1) / self.horizon), reached, out_of_time)

    def free(self, state: Float[Tensor, "N S"], cell: Float[Tensor, "N 2"]) -> Bool[Tensor, "N"]:
        """Whether a cell of each row's world can be stood on."""
        pitch, rooms = self.size + 1, self.down * self.across
        within = ((cell >= 0) & (cell < cell.new_tensor(self._extent))).all(dim=1)
        column, line = (cell.clamp(min=0).minimum(cell.new_tensor(self._extent) - 1) // pitch).long().unbind(dim=1)
        x, y = (cell % pitch).unbind(dim=1)
        room = (_FIXED + line * self.across + column)[:, None]
        east, south = state.gather(1, room)[:, 0], state.gather(1, room + rooms)[:, 0]
        inside = (x < self.size) & (y < self.size)
        return within & (inside | (x == self.size) & (y == east) | (y == self.size) & (x == south))

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N 23"]:
        cell, step, goal = state[:, :2], state[:, 2:4], state[:, 4:6]
        moves = state.new_tensor(MOVES)
        blocked = torch.stack([~self.free(state, cell + move) for move in moves], dim=1).to(state)
        # a cell in a wall, a doorway, is in the rooms on both sides of it
        near, far = cell // (self.size + 1), (cell + 1) // (self.size + 1)
        room = goal // (self.size + 1)
        seen = ((room == near) | (room == far)).all(dim=1, keepdim=True).to(state)
        place = 2 * cell / (cell.new_tensor(self._extent) - 1).clamp(min=1) - 1
        goals = torch.cat([seen, seen * (goal - cell) / self.size], dim=1)
        return torch.cat([place, step, blocked, self._doors(state), goals], dim=1)

    def _doors(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N 12"]:
        """For each side of the room whether it has a door, and the way there in rooms; zeros in a doorway."""
        pitch, rooms = self.size + 1, self.down * self.across
        cell = state[:, :2]
        column, line = (cell // pitch).long().unbind(dim=1)
        corner = torch.stack([column, line], dim=1) * pitch
        inside = (cell % pitch < self.size).all(dim=1)
        sides = []
        for dx, dy in MOVES:
            there = (0 <= column + dx) & (column + dx < self.across) & (0 <= line + dy) & (line + dy < self.down)
            # the door in a wall belongs to the room west or north of it
            owner = (line + min(dy, 0)) * self.across + column + min(dx, 0)
            along = state.gather(1, (_FIXED + owner.clamp(min=0) + (rooms if dy else 0))[:, None])[:, 0]
            across = torch.full_like(along, self.size if max(dx, dy) > 0 else -1)
            door = corner + torch.stack([across, along] if dx else [along, across], dim=1)
            shown = (there & inside).to(state)[:, None]
            sides.append(torch.cat([shown, shown * (door - cell) / self.size], dim=1))
        return torch.cat(sides, dim=1)

    @property
    def _extent(self) -> tuple[int, int]:
        return self.across * (self.size + 1) - 1, self.down * (self.size + 1) - 1

    def shortest(self, state: Float[Tensor, "N S"]) -> Int[Tensor, "N 1"]:
        """The first step of a shortest way to the goal, by one who knows the whole map (breadth-first search)."""
        width, height = self._extent
        cells = torch.cartesian_prod(torch.arange(-1, width + 1), torch.arange(-1, height + 1)).to(state)
        open_ = torch.stack([self.free(state, cell.expand(len(state), 2)) for cell in cells], dim=1)
        open_ = open_.unflatten(1, (width + 2, height + 2))
        goal = (cells == state[:, None, 4:6]).all(dim=-1).unflatten(1, (width + 2, height + 2))
        away = torch.where(goal, 0.0, torch.inf)
        rows, (x, y) = torch.arange(len(state)), (state[:, :2].long() + 1).unbind(dim=1)
        while not away[rows, x, y].isfinite().all():
            beside = torch.stack([away.roll((-dx, -dy), (1, 2)) for dx, dy in MOVES])
            away = torch.where(open_, away.minimum(beside.amin(dim=0) + 1), torch.inf)
        beside = torch.stack([away[rows, x + dx, y + dy] for dx, dy in MOVES], dim=1)
        return beside.argmin(dim=1, keepdim=True)

    def visited(self, problems: Sequence[Problem], outputs: Sequence[Episode]) -> Int[Tensor, "N"]:
        """Which rooms each episode was in, as a number with a bit for each: the behaviour of arXiv:2509.25424."""
        extent = torch.tensor(self._extent, dtype=torch.float64)
        keys = []
        for episode in outputs:
            place = episode.observations[:, :2].cpu().double()
            cell = ((place + 1) / 2 * (extent - 1).clamp(min=1)).round()
            inside = cell[(cell % (self.size + 1) < self.size).all(dim=1)] // (self.size + 1)
            rooms = (inside[:, 1] * self.across + inside[:, 0]).long().unique()
            keys.append(sum(1 << room for room in rooms.tolist()))
        return torch.tensor(keys, dtype=torch.int64)

    def picture(self, episode: Episode) -> dict[str, Any]:
        """The path on the map, the walls of the rooms with no doors drawn, and the goal if the episode ends there."""
        width, height = self._extent
        pitch = self.size + 1
        place = episode.observations[:, :2].cpu().double()
        cells = (place + 1) / 2 * (torch.tensor([width, height]) - 1).clamp(min=1)
        walls = [[x, -0.5, x, height - 0.5] for x in (-0.5, *range(self.size, width, pitch), width - 0.5)]
        walls += [[-0.5, y, width - 0.5, y] for y in (-0.5, *range(self.size, height, pitch), height - 0.5)]
        path = [[x, -y] for x, y in cells.tolist()]
        drawn = {"kind": "trajectory", "positions": path, "walls": [[a, -b, c, -d] for a, b, c, d in walls]}
        return {**drawn, "goal": path[-1]} if episode.terminated else drawn


def reached(problems: Sequence[Problem], outputs: Sequence[Episode]) -> list[float]:
    """A reward of 1 for each episode that its world ended, at the goal, however late."""
    return [float(episode.terminated) for episode in outputs]


WORLD = Rooms(starts=(4,))


class _Open:
    """The same world with nothing hidden: an observation is the state."""

    def __init__(self, world: Rooms):
        self.name, self.action, self.horizon = world.name, world.action, world.horizon
        self.reset, self.step = world.reset, world.step
        self.observation_size = _FIXED + 2 * world.down * world.across

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N S"]:
        return state


def demonstrations(world: Rooms, count: int, seed: int, clumsy: float = 0.0) -> list[Episode]:
    """Shortest ways to the goal by one who sees the whole map, as the world's own player sees them.

    From starts that no task has; a share `clumsy` of the steps goes anywhere.
    """
    keys = torch.tensor([hashed("demonstration", world.name, seed, i) for i in range(count)])

    def act(state: Tensor, rows: Tensor, decision: int) -> Tensor:
        u = uniform(keys[rows], torch.tensor([decision]), ACTION)
        anything = (u / clumsy * world.action.n).long() if clumsy else torch.zeros_like(u, dtype=torch.long)
        return torch.where(u < clumsy, anything, world.shortest(state))[:, None]

    episodes = play(_Open(world), keys, keys, act).episodes()
    return [replace(episode, observations=world.observe(episode.observations)) for episode in episodes]


def searching(imitation: int, teaching: Method, problems: int, critic: bool = False) -> World:
    """Nine rooms to search, from the middle one; the reward falls with time, and who finds the goal late succeeds."""
    return World(
        searcher(imitation, teaching, critic),
        Starts(WORLD),
        Starts(WORLD, split="test"),
        environment_reward,
        judged=reached,
        measures=[coverage(reached, WORLD.visited)],
        probes=[perturbed(problems)],
    )


def searcher(imitation: int, teaching: Method, critic: bool = False) -> Control:
    """The cached policy after `imitation` batches of 32 clumsy episodes of one who knows the way, imitated by sft."""

    def build() -> dict[str, Tensor]:
        policy = Control(WORLD, seed=0)
        shown = Shown(demonstrations(WORLD, 256, seed=0, clumsy=0.3))
        list(Trainer(policy, teaching, shown, prompts=32, group=1, lr=1e-3).run(imitation))
        return policy.state_dict()

    weights = cached(f"polychromic-rooms-{VERSION}-{imitation}.safetensors", build, save_file, load_file)
    policy = Control(WORLD, critic=critic, seed=0)
    policy.load_state_dict(weights, strict=not critic)
    return policy


class Shown:
    """Episodes to imitate, as a task."""

    name, split = "shown", "train"

    def __init__(self, episodes: Sequence[Episode]):
        self.episodes, self.size = episodes, len(episodes)

    def at(self, index: int) -> Problem:
        """Whoever imitates looks at the answer alone."""
        return Problem(index, 0, self.episodes[index], task=self.name)


def perturbed(problems: int, samples: int = 4) -> Callable[[Any], Mapping[str, float]]:
    """A probe: the share of episodes that find the goal from rooms in which training never begins."""
    rooms = range(WORLD.down * WORLD.across)
    world = replace(WORLD, starts=tuple(room for room in rooms if room not in (WORLD.starts or ())))

    def probe(policy: Control) -> Mapping[str, float]:
        moved = copy.copy(policy)  # the same weights in another world
        moved.environment = world
        task = Starts(world, split="perturbed")
        return {"perturbed": evaluate(moved, task, reached, problems=problems, samples=samples).mean}

    return probe
