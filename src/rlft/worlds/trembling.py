"""Three classes of policy with chunks of four actions, and episodes of an expert who trembles before a gap in a wall.

The point mass is paid for the goal alone, and half of the expert's episodes arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rlft.environments.acted import Acted
from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.measure.control import control
from rlft.policies.control.flow import Flow
from rlft.policies.control.kinds import Kind, of_kind
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.worlds import Ground

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
    made = of_kind(policy, WORLD, width, seed, chunk=_CHUNK)
    return Ground(made, WORLD, shown, [control(WORLD)], [alone(problems, seed)])


def alone(problems: int, seed: int) -> Callable[[Any], Mapping[str, float]]:
    """A probe: the success of what the policy itself draws."""

    def probe(policy: Control | Flow) -> Mapping[str, float]:
        sampler, starts = Acted(policy, WORLD), Starts(WORLD, split="test")
        return {"alone": evaluate(sampler, starts, environment_reward, problems=problems, seed=seed).mean}

    return probe
