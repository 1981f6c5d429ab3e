"""A point mass that is paid 1 for reaching a goal behind a gap in a wall, and episodes of careless teachers; or a world
of Gymnasium and a data set of Minari."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.environments import minari
from rlft.environments.experts import demonstrations
from rlft.environments.gym import Gymnasium
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Environment, Episode, Measured
from rlft.measure.control import control
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.types import UserError
from rlft.worlds import Ground

WORLD = PointMass(shaping=0.0, gaps=((-0.1, 0.1),), horizon=60)
# How careless the teachers are: one nearly always arrives, one seldom.
CLUMSY = (0.8, 1.5, 2.5)


def given(
    episodes: int = 120, env: str | None = None, data: str | None = None, width: int = 64, seed: int = 0
) -> Ground:
    """From given episodes to the world.

    Args:
        episodes: of the careless teachers.
        env: a Gymnasium environment instead of the point mass; it needs --data, and its offline phase is a part of the
            run, of steps of as many updates.
        data: a folder of a Minari data set, or the name of one that is here.
        width: of all hidden layers.
        seed: of everything random, the careless teachers too.
    """
    if (env is None) != (data is None):
        raise UserError("a Gymnasium environment needs episodes and these their environment: give --env and --data")
    world: Any = WORLD if env is None else Gymnasium(env)
    shown = careless(episodes, seed) if data is None else minari.read(data, world)
    return Ground(actor(world, width, seed), world, shown, [control(world)] if isinstance(world, Measured) else [])


def actor(world: Environment, width: int, seed: int) -> Control:
    """A policy as SAC has it."""
    head = functools.partial(StateTanhGaussian, std=1.0)
    return Control(world, head=head, width=width, activation=torch.relu, seed=seed)


def careless(episodes: int, seed: int) -> list[Episode]:
    """As many episodes of each of the teachers."""
    each, kinds = -(-episodes // len(CLUMSY)), len(CLUMSY)
    return [e for i, shaken in enumerate(CLUMSY) for e in demonstrations(WORLD, each, seed * kinds + i, shaken)]


def pretrained(
    name: str, phase: Phase, updates: int, data: Sequence[Episode], seed: int, **settings: Any
) -> dict[str, Tensor]:
    """The agent after so many updates on the careless episodes alone; cached under `name`."""

    def build() -> dict[str, Tensor]:
        policy, once = actor(WORLD, settings["hidden"][0], seed), {"interval": updates, "capacity": 1}
        learner = Learner(policy, WORLD, [phase], data=data, seed=seed, **once, **settings)
        learner.step()
        return learner.agent.state_dict()

    return cached(name, build, save_file, load_file)
