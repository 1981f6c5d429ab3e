"""A pendulum whose motor lifts it in one go, in a world where it is heavier and rubs, and the same motor does not.

Pre-trained in many nominal worlds at once; what is known of the changed one are the nominal mechanics. Or any worlds of
Gymnasium, of whose mechanics nothing is known.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.environments.gym import Gymnasium
from rlft.environments.protocol import Environment, Episode
from rlft.environments.swinging import CartSwingUp, SwingUp
from rlft.measure.control import control
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.types import Problem
from rlft.worlds import Ground

System = Literal["pendulum", "cart_pole"]
# How each is made and sold, and what it is where it is used.
NOMINAL: dict[str, Any] = {
    "pendulum": SwingUp(torque=12.0),
    "cart_pole": CartSwingUp(force=15.0, track=3.0),
}
CHANGED: dict[str, Any] = {
    "pendulum": SwingUp(torque=12.0, mass=1.6, length=1.2, friction=0.8, known=NOMINAL["pendulum"]),
    "cart_pole": CartSwingUp(
        force=15.0, track=3.0, cart=1.6, mass=0.5, length=1.0, rolling=1.0, known=NOMINAL["cart_pole"]
    ),
}
# rad/s: nobody who swings it up well turns it faster.
UNSAFE = 6.0


def swinging(
    system: System = "pendulum",
    tried: Literal["changed", "nominal"] = "changed",
    env: str | None = None,
    sim: str | None = None,
    width: int = 64,
    seed: int = 0,
) -> Ground:
    """From many nominal worlds to one that is otherwise.

    Args:
        system: what swings: a pendulum, or a pole on a cart.
        tried: where the pre-trained policy goes on: the changed world, or the nominal one.
        env: a world of Gymnasium instead, to go on in.
        sim: the one to be pre-trained in; by default the same.
        width: of all hidden layers.
        seed: of everything random.
    """
    if env is not None:
        world: Any = Gymnasium(env)
        return Ground(actor(world, width, seed), world)
    world = (CHANGED if tried == "changed" else NOMINAL)[system]
    measures = [control(world), unsafe(world)]
    return Ground(actor(world, width, seed), world, (), measures, [at_home(NOMINAL[system], seed)])


def actor(world: Environment, width: int, seed: int) -> Control:
    """A policy as SAC has it."""
    head = functools.partial(StateTanhGaussian, std=1.0)
    return Control(world, head=head, width=width, activation=torch.relu, seed=seed)


def pretrained(
    name: str | None, world: Environment, phase: Phase, rounds: int, seed: int, **settings: Any
) -> dict[str, Tensor]:
    """The agent after so many steps of all worlds of the phase, without its temperature; cached under `name`."""

    def build() -> dict[str, Tensor]:
        steps = rounds * phase.worlds
        policy = actor(world, settings["hidden"][0], seed)
        learner = Learner(policy, world, [phase], interval=steps, capacity=steps, seed=seed, **settings)
        learner.step()
        return {name: held for name, held in learner.agent.state_dict().items() if not name.startswith("duals.")}

    return build() if name is None else cached(name, build, save_file, load_file)


def unsafe(world: Any) -> Callable[[Sequence[Problem], Sequence[Episode]], dict[str, float]]:
    """A measure: `fast`, the share of steps at whose end it turns faster than `UNSAFE`."""

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
        speeds = torch.cat([world.speed(episode.observations[1:]) for episode in outputs])
        return {"fast": float((speeds > UNSAFE).double().mean())}

    return measure


def at_home(world: Environment, seed: int) -> Callable[[Any], Mapping[str, float]]:
    """A probe: `home`, what the policy without noise earns in the nominal world."""

    def probe(policy: Control) -> Mapping[str, float]:
        there = copy.copy(policy)  # the same networks
        there.environment = world
        starts = Starts(world, split="test")
        return {"home": evaluate(there.deterministic(), starts, environment_reward, problems=16, seed=seed).mean}

    return probe


def played(world: Any, learner: Learner) -> Callable[[Any], Mapping[str, float]]:
    """A probe: `unsafe`, the share of the steps that were really taken at whose end it turns faster than `UNSAFE`."""

    def probe(policy: Control) -> Mapping[str, float]:
        seen = learner.buffer.columns["next_observation"][: len(learner.buffer)]
        return {"unsafe": float((world.speed(seen) > UNSAFE).double().mean())} if len(seen) else {}

    return probe
