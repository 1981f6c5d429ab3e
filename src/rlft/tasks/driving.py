"""Road scenes in words, and what an expert does in them: a reason, an intent, and controls, one token each.

A car drives along a lane of constant curvature. A car may stand in it, somebody may walk beside it, a light may be red.
What matters first is what is reached first; a light or a car is stopped for, a walker slowed down for. Not a simulator:
nothing else moves, and nothing is seen but what is said.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from rlft.environments.unicycle import along, driven
from rlft.metrics.driving import LONGITUDINAL, SIDEWAYS, comfort
from rlft.noise import hashed
from rlft.rewards.driving import Controls
from rlft.types import Problem, UserError

STEPS = 8
CONTROLS = Controls(seconds=0.5, accel=1.0, curvature=0.05)
ACCELS, CURVATURES = range(-4, 3), range(-2, 3)
SPEEDS, DISTANCES = range(4, 10), range(12, 31, 2)  # m/s, m
CAUSES = ("red light", "car", "walker", "clear road")
_MARGIN, _LATE = 4, 1  # m that an expert stays away from what he stops for, and one who brakes late
Driver = Literal["expert", "late", "blind"]
_LANES = {"left": 1, "straight": 0, "right": -1}
SPLITS = ("train", "test")

CAUSE_WORDS = tuple(f"<cause>{cause}</cause>" for cause in CAUSES)
INTENT_WORDS = tuple(f"<intent>{pace}, {side}</intent>" for pace in LONGITUDINAL for side in SIDEWAYS)
WORDS = (
    *(f"speed {v}" for v in SPEEDS),
    *(f", {kind} at {d}" for kind in ("car", "walker", "red light") for d in DISTANCES),
    *(", nobody", ", green light", ", no light"),
    *(f", lane {lane}." for lane in _LANES),
    *CAUSE_WORDS,
    *INTENT_WORDS,
    *(f"<a{a}>" for a in ACCELS),
    *(f"<k{k}>" for k in CURVATURES),
)


@dataclass(frozen=True)
class Scene:
    """What there is to see: a speed in m/s, a lane, and how far away what is, in m."""

    speed: int
    lane: str
    somebody: tuple[str, int] | None
    red: int | None
    green: bool

    @property
    def words(self) -> str:
        """The scene as it is said."""
        who = ", nobody" if self.somebody is None else f", {self.somebody[0]} at {self.somebody[1]}"
        light = f", red light at {self.red}" if self.red else ", green light" if self.green else ", no light"
        return f"speed {self.speed}{who}{light}, lane {self.lane}."

    @property
    def ahead(self) -> list[tuple[str, int]]:
        """What would be reached, or nearly, within the four seconds, the nearest first."""
        found = [] if self.somebody is None else [self.somebody]
        found += [("red light", self.red)] if self.red else []
        return sorted((one for one in found if one[1] <= 4 * self.speed + 2 * _MARGIN), key=lambda one: one[1])

    @property
    def hazards(self) -> list[int]:
        """How far away is what one must not come close to, the walker beside the lane aside."""
        who = [] if self.somebody is None or self.somebody[0] == "walker" else [self.somebody[1]]
        return who + ([self.red] if self.red else [])

    @property
    def possible(self) -> bool:
        """Whether one can stop before everything that is stopped for, at 4 m/s² and with a metre to spare."""
        return all(d >= self.speed**2 / 8 + _MARGIN + 1 for kind, d in self.ahead if kind != "walker")


def told(words: str) -> Scene:
    """The scene that is said by these words."""
    found = re.fullmatch(
        r"speed (\d+)(?:, nobody|, (car|walker) at (\d+))(?:, (green|no) light|, red light at (\d+)), lane (\w+)\.",
        words,
    )
    if found is None:
        raise UserError(f"{words!r} is no scene: 'speed 7, car at 18, no light, lane left.', say")
    speed, who, where, light, line, lane = found.groups()
    return Scene(int(speed), lane, (who, int(where)) if who else None, int(line) if line else None, light == "green")


@dataclass(frozen=True)
class Plan:
    """A cause, an intent in two words, and controls, as numbers of steps."""

    cause: str
    pace: str
    side: str
    controls: tuple[tuple[int, int], ...]

    @property
    def reason(self) -> str:
        """The reason as it is told."""
        return f"<cause>{self.cause}</cause><intent>{self.pace}, {self.side}</intent>"

    @property
    def acts(self) -> str:
        """The controls as they are told."""
        return "".join(f"<a{a}><k{k}>" for a, k in self.controls)


@functools.cache
def planned(scene: Scene, driver: Driver = "expert") -> Plan:
    """What a driver does: the expert; a `late` one, who stops a metre before what is ahead and not four; or a `blind`
    one, who drives as if nothing were ahead."""
    ahead = [] if driver == "blind" else scene.ahead
    stops = [one for one in ahead if one[0] != "walker"]
    cause, distance = stops[0] if stops else ahead[0] if ahead else ("clear road", 0)
    pace = "stop" if stops else "slow" if ahead else "speed up" if scene.speed <= 5 else "keep"
    k = _LANES[scene.lane]
    return Plan(
        cause, pace, scene.lane, tuple((a, k) for a in _accelerations(scene.speed, pace, distance, driver == "late"))
    )


@functools.cache
def _accelerations(speed: int, pace: str, distance: int, late: bool) -> tuple[int, ...]:
    """The best accelerations of the form p n times, q m times, then 0: within the bounds of comfort where they can be,
    close to the speed that is wanted, and gentle."""
    family, ends, ways, rough = _family(speed)
    wanted = {"stop": 0.0, "slow": speed / 2, "keep": float(speed), "speed up": speed + 2.0}[pace]
    # Of what is as good the earlier: braked for soon, sped up soon.
    cost = 2 * (ends - wanted).abs() + rough + 1e-3 * (-ways if pace == "speed up" else ways)
    if pace == "stop":
        cost = cost + 100 * (ways > distance - (_LATE if late else _MARGIN)) - 0.3 * late * ways
    return family[int(cost.argmin())]


@functools.cache
def _family(speed: int) -> tuple[list[tuple[int, ...]], Tensor, Tensor, Tensor]:
    """All that an expert chooses from at this speed, its last speeds, its ways straight on, and how rough it is."""
    halves = itertools.product(ACCELS, range(STEPS + 1), ACCELS, range(STEPS + 1))
    family = sorted({(p,) * n + (q,) * m + (0,) * (STEPS - n - m) for p, n, q, m in halves if n + m <= STEPS})
    tried = torch.tensor(family, dtype=torch.float64) * CONTROLS.accel
    way = driven(torch.full((len(tried),), float(speed)).double(), tried, 0 * tried, CONTROLS.seconds)
    rough = 0.02 * tried.square().sum(1) + 3 * (1 - comfort(way.speed, way.heading, CONTROLS.seconds).score)
    return family, way.speed[:, -1], way.position[:, -1, 0], rough


class Driving:
    """Scenes with the expert's reason and way in their columns, which the rewards of `rewards.driving` read.

    Splits are by a hash of the scene, one in five of the test's. Four scenes in five have something ahead. Without a
    `size` there is no end. The demonstration is the expert's.
    """

    def __init__(self, size: int | None = None, split: str = "train"):
        if split not in SPLITS:
            raise UserError(f"scenes have the splits {', '.join(SPLITS)}; not {split!r}")
        self.size, self.split, self.name = size, split, "driving"

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        return posed(index, self.scene(index), self.name, self.split)

    def scene(self, index: int) -> Scene:
        """The scene of this problem."""
        return next(s for s in map(self._drawn, itertools.repeat(index), itertools.count()) if self._fits(s))

    def _fits(self, scene: Scene) -> bool:
        return scene.possible and (hashed("scene", scene.words) % 5 == 0) == (self.split == "test")

    def _drawn(self, index: int, attempt: int) -> Scene:
        def one_of(name: str, choices: Sequence[Any]) -> Any:
            return choices[hashed(self.name, self.split, index, attempt, name) % len(choices)]

        kind, light = one_of("who", ("car", "walker", None)), one_of("light", ("red", "green", "none"))
        somebody = None if kind is None else (kind, one_of("where", DISTANCES))
        red = one_of("line", DISTANCES) if light == "red" else None
        return Scene(one_of("speed", SPEEDS), one_of("lane", list(_LANES)), somebody, red, light == "green")


def posed(index: int, scene: Scene, task: str = "driving", split: str = "train") -> Problem:
    """The problem of a scene."""
    columns, shown = _known(scene)
    return Problem(index, scene.words, shown, dict(columns), task, split, demonstration=shown)


@functools.cache
def _known(scene: Scene) -> tuple[dict[str, Any], str]:
    """The columns of a scene, and what the expert tells of it."""
    plan = planned(scene)
    hazards = torch.tensor([float(distance) for distance in scene.hazards]).double()
    bend = torch.full_like(hazards, _LANES[scene.lane] * CONTROLS.curvature)
    columns = {
        "speed": scene.speed,
        "cause": plan.cause,
        "intent": f"{plan.pace}, {plan.side}",
        "expert": _way(scene.speed, plan.controls),
        "obstacles": along(hazards, bend).tolist() if len(hazards) else [],
    }
    return columns, plan.reason + plan.acts


@functools.cache
def _way(speed: int, steps: tuple[tuple[int, int], ...]) -> list[list[float]]:
    """Where these controls lead, after each of them."""
    controls = torch.tensor(steps).double() * torch.tensor([CONTROLS.accel, CONTROLS.curvature]).double()
    start = torch.tensor([float(speed)]).double()
    return driven(start, controls[None, :, 0], controls[None, :, 1], CONTROLS.seconds).position[0, 1:].tolist()
