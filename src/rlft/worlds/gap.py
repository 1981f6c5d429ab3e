"""A point mass that must find the gap in a wall, and a policy that has begun to imitate one who does.

The reward is the environment's, the way covered towards the goal; what it cannot see is the force that was spent.
"""

from __future__ import annotations

from rlft.environments.point_mass import PointMass
from rlft.measure.control import control
from rlft.policies.control.policy import base
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.worlds import World


def gap(imitation: int = 40, critic: bool = False) -> World:
    """A point mass behind a wall.

    Args:
        imitation: supervised steps of the base policy: fewer leave it weaker.
    """
    world = PointMass()
    policy, seen = base(world, imitation, critic=critic), [control(world)]
    starts = Starts(world), Starts(world, split="test")
    return World(policy, *starts, environment_reward, measures=seen, watched=seen, problems=256)
