"""A point mass that must find the gap in a wall: a policy that has begun to imitate goes on by reward.

The reward is the environment's, the way covered towards the goal; what it cannot see is the force that was spent.
"""

from __future__ import annotations

from rlft.environments.point_mass import PointMass
from rlft.measure.control import control
from rlft.methods.ppo import ppo
from rlft.policies.control.policy import base
from rlft.rewards.environment import environment_reward
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.training.trainer import Trainer
from rlft.types import Method, Runtime


def point_mass(
    method: Method = ppo(gamma=0.98),
    steps: int = 40,
    prompts: int = 16,
    group: int = 8,
    lr: float = 1e-3,
    rows: int | None = None,
    imitation: int = 40,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """A point mass behind a wall.

    Args:
        steps: steps in all.
        prompts: start states in a step.
        group: episodes from each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        imitation: supervised steps of the base policy: fewer leave it weaker.
        seed: of everything random but the base.
    """
    world = PointMass()
    measures = [control(world)]
    trainer = Trainer(
        base(world, imitation, critic=method.critic),
        method,
        Starts(world),
        environment_reward,
        prompts=prompts,
        group=group,
        rows=rows,
        lr=lr,
        seed=seed,
        watch_kl=True,
        measures=measures,
        runtime=runtime,
    )
    return Run(trainer, steps, Starts(world, split="test"), problems=256, measures=measures)
