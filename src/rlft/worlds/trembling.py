"""Three classes of policy with chunks of four actions, and episodes of an expert who trembles before a gap in a wall.

The point mass is paid for the goal alone, and half of the expert's episodes arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import torch

from rlft.environments.acted import Acted
from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Environment
from rlft.measure.control import control
from rlft.policies.control.flow import Flow
from rlft.policies.control.policy import Binned, Control, StateTanhGaussian
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.worlds import Ground

Kind = Literal["gaussian", "flow", "tokens"]
WORLD = PointMass(shaping=0.0)
_CHUNK = 4


def trembling(
    policy: Kind = "gaussian",
    clumsy: float = 1.2,
    data: int = 100,
    width: int = 64,
    problems: int = 128,
    seed: int = 0,
) -> Ground:
    """A class of policy, from data to worlds.

    Args:
        policy: the class: gaussian, flow or tokens.
        clumsy: how much the expert of the data trembles, in half-ranges of an action.
        data: his episodes.
        width: of the two layers of all networks.
        problems: held-out starts.
        seed: of everything random.
    """
    shown = demonstrations(WORLD, data, seed=seed, clumsy=clumsy)
    return Ground(made(policy, WORLD, width, seed), WORLD, shown, [control(WORLD)], [alone(problems, seed)])


def made(policy: Kind, world: Environment, width: int, seed: int) -> Control | Flow:
    """A policy of this class."""
    sizes: dict[str, Any] = {"width": width, "seed": seed, "chunk": _CHUNK, "activation": torch.relu}
    if policy == "flow":
        return Flow(world, steps=5, **sizes)
    heads = {"gaussian": StateTanhGaussian, "tokens": partial(Binned, bins=11, width=32, seed=seed)}
    return Control(world, head=heads[policy], **sizes)


def alone(problems: int, seed: int) -> Callable[[Any], Mapping[str, float]]:
    """A probe: the success of what the policy itself draws."""

    def probe(policy: Control | Flow) -> Mapping[str, float]:
        sampler, starts = Acted(policy, WORLD), Starts(WORLD, split="test")
        return {"alone": evaluate(sampler, starts, environment_reward, problems=problems, seed=seed).mean}

    return probe
