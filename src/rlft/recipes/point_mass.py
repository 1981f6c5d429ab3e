"""A point mass that must find the gap in a wall: a policy that has begun to imitate goes on by reward.

The reward is the environment's, the way covered towards the goal; what it cannot see is the force that was spent.
"""

from __future__ import annotations

from rlft.methods.ppo import ppo
from rlft.recipes import recipe
from rlft.worlds.gap import gap

point_mass = recipe(gap, ppo(gamma=0.98), steps=40, prompts=16, group=8, lr=1e-3, rows=None)
SMOKE = {}
