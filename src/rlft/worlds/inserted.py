"""The tip of an arm before a slot, paid for the insertion alone, and a few demonstrations, of which some should not be
copied: teachers who aim beside the slot, and teachers who dawdle."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.environments.insertion import FACE, SPEED, Insertion
from rlft.environments.play import play
from rlft.environments.protocol import Episode
from rlft.measure.control import control
from rlft.noise import ACTION, hashed, normal, uniform
from rlft.policies.control.kinds import of_kind
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.types import Problem, UserError
from rlft.worlds import Ground

WORLD = Insertion()
# The same, where the slot is at heights that no demonstration has.
UNSEEN = Insertion(slots=(0.3, 0.5))
Teacher = Literal["good", "beside", "slow"]
# Those who aim beside the slot aim too high, by so much; those who dawdle have this share of the others' speed.
BESIDE, SLOW = (0.12, 0.28), 0.46
# Everyone's hand trembles, in half-ranges of an action; and nobody's action is at a bound, which no tanh reaches.
_TREMBLE, _INSIDE = 0.2, 0.95


def inserted(
    demonstrations: int = 50,
    flawed: float = 0.6,
    chunk: int = 8,
    width: int = 64,
    problems: int = 128,
    seed: int = 0,
) -> Ground:
    """Demonstrations of an insertion, to learn from without ever acting.

    Args:
        demonstrations: how many there are.
        flawed: share of them that should not be copied: three in four of them fail, the others dawdle.
        chunk: actions that are decided at once.
        width: of the two layers of all networks.
        problems: held-out starts, at heights of the slot that were shown and at others.
        seed: of everything random.
    """
    made = of_kind("gaussian", WORLD, width, seed, chunk=chunk)
    measures = [control(WORLD), cycle]
    return Ground(made, WORLD, shown(demonstrations, flawed, seed), measures, [elsewhere(problems, seed)])


def teachers(count: int, flawed: float) -> list[Teacher]:
    """Who gives each demonstration: the good ones last. UserError where the share is none."""
    if not 0 <= flawed <= 1 or count < 1:
        raise UserError(
            f"give at least 1 demonstration and a share of flawed ones between 0 and 1, not {count}, {flawed}"
        )
    flaws = round(count * flawed)
    return [("slow" if i % 4 == 3 else "beside") if i < flaws else "good" for i in range(count)]


def shown(count: int, flawed: float, seed: int) -> list[Episode]:
    """The demonstrations, from starts that no task has."""
    kinds = teachers(count, flawed)
    keys = torch.tensor([hashed("demonstration", WORLD.name, seed, i) for i in range(count)])
    least, most = BESIDE
    off = least + (most - least) * uniform(keys, 1)[:, 0]
    off = torch.where(torch.tensor([kind == "beside" for kind in kinds]), off, 0)
    pace = torch.tensor([SLOW if kind == "slow" else 1.0 for kind in kinds], dtype=torch.float64)

    def act(observation: Tensor, rows: Tensor, decision: int) -> Tensor:
        wanted = aimed(observation, off[rows], pace[rows])
        shaken = wanted + _TREMBLE * normal(keys[rows], torch.tensor([decision + 1]), (2,), ACTION)[:, 0]
        return shaken.clamp(-_INSIDE, _INSIDE)[:, None]

    return play(WORLD, keys, keys, act).episodes()


def aimed(observation: Float[Tensor, "N 5"], off: Float[Tensor, "N"], pace: Float[Tensor, "N"]) -> Float[Tensor, "N 2"]:
    """The command of a teacher: to before the slot, at the height it is taken for, and from there straight in."""
    position, above = observation[:, :2], observation[:, 4] + off
    # the nearer the face, the better the height has to be
    ready = above.abs() <= 0.03 + 0.5 * (FACE - 0.05 - position[:, 0]).clamp(min=0)
    ahead = torch.where(ready, torch.full_like(above, 4 * SPEED), (FACE - 0.1 - position[:, 0]).clamp(max=4 * SPEED))
    towards = torch.stack([ahead, above], dim=1) / SPEED
    return pace[:, None] * towards / towards.norm(dim=1, keepdim=True).clamp(min=1.0)


def cycle(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
    """`cycle`: mean steps of the episodes that succeed, and `log_cycle` its logarithm; the horizon where none does."""
    lengths = [len(episode) for episode in outputs if float(WORLD.distance(episode.observations[-1])) <= 0]
    lengths = lengths or [WORLD.horizon]
    mean = sum(lengths) / len(lengths)
    return {"cycle": mean, "log_cycle": math.log(mean)}


def elsewhere(problems: int, seed: int) -> Callable[[Any], Mapping[str, float]]:
    """A probe: `unseen`, the success without noise where the slot is at heights that nobody showed."""

    def probe(policy: Control) -> Mapping[str, float]:
        there = copy.copy(policy)  # the same networks
        there.environment = UNSEEN
        starts = Starts(UNSEEN, split="test")
        return {
            "unseen": evaluate(there.deterministic(), starts, environment_reward, problems=problems, seed=seed).mean
        }

    return probe
