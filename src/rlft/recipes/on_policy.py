"""A world of Gymnasium by any published method that learns from whole episodes. Not a claim of any paper.

`rlft run ppo --env CartPole-v1` is this recipe with `--method ppo`, and so for every such method.
"""

from __future__ import annotations

from rlft.methods.ppo import ppo
from rlft.recipes import recipe
from rlft.worlds.gymnasium import played

# A critic of returns in the hundreds learns faster than the policy, and is not held back by a clip of 0.2.
_PPO = ppo(gamma=0.99, value_clip=10.0, value_lr=3.0)
on_policy = recipe(played, _PPO, steps=40, prompts=8, group=4, lr=3e-3, rows=None, problems=16, every=10)
SMOKE = {"env": "Pendulum-v1", "horizon": 8, "width": 8, "problems": 4}
