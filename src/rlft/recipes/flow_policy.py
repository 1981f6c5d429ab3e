"""Your own flow policy in a world of Gymnasium, fine-tuned by the likelihoods of its denoising steps: π_RL's way
(arXiv:2510.25889), with any method that learns from whole episodes. Not a claim of any paper.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from torch import nn

from rlft.errors import UserError
from rlft.methods.ppo import ppo
from rlft.options.calls import function_in
from rlft.policies.control.flow import Flow
from rlft.policies.flows.policy import FlowPolicy, Noisy
from rlft.policies.flows.velocity import Foreign
from rlft.recipes import recipe
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.worlds import World
from rlft.worlds.flowing import ruled
from rlft.worlds.gymnasium import ended, named


def flown(
    env: str | None = None,
    flow: str | None = None,
    chunk: int = 4,
    noise_at: Literal[0, 1] = 1,
    noise: Literal["flow_sde", "flow_noise"] = "flow_sde",
    level: float | None = None,
    noisy: Noisy = "every",
    denoising_steps: int = 4,
    horizon: int | None = None,
    width: int = 64,
    critic: bool = False,
    seed: int = 0,
) -> World:
    """A flow policy in a world of Gymnasium.

    Args:
        env: the world's id, Pendulum-v1 for one, or module:id; its actions are a Box.
        flow: file.py:function that returns a module with velocity(observation, actions, t); by default untrained.
        chunk: actions in a decision, as the flow was trained.
        noise_at: the time at which the flow has noise; at 0 its velocity leads from noise to actions.
        noise: an SDE with the flow's marginals, or a net that learns how much noise, and is dropped at test.
        level: a of the SDE's noise, or the upper bound of learned noise, whose lower one is half of it; by default 0.5,
            or 0.16.
        noisy: every denoising step, or one of each decision, at a fraction of the price of an update.
        denoising_steps: for a decision, in training and at test.
        horizon: steps after which an episode is cut off; by default the world's own limit.
        width: of the two hidden layers of the critic.
        seed: of everything random.
    """
    world = named(env, horizon)
    net = Flow(world, chunk=chunk, width=width, seed=seed) if flow is None else Foreign(_own(flow), chunk, noise_at)
    rule = ruled(noise, level, world, chunk, seed)
    told: dict[str, Any] = {"noisy": noisy, "critic": critic, "width": width, "seed": seed}
    policy = FlowPolicy(world, net, steps=denoising_steps, rule=rule, **told)
    starts = Starts(world), Starts(world, split="test")
    return World(policy, *starts, environment_reward, measures=[ended], deploy=policy.deployed())


def _own(words: str) -> nn.Module:
    path, _, name = words.rpartition(":")
    made = function_in(Path(path), name)()
    if not isinstance(made, nn.Module):
        raise UserError(f"{words} returned {made!r:.60}; it should return a torch.nn.Module with a velocity")
    return made


_PPO = ppo(gamma=0.99, value_clip=10.0, value_lr=3.0, epochs=4, minibatches=2)
flow_policy = recipe(flown, _PPO, steps=40, prompts=16, group=1, lr=3e-4, rows=None, problems=16, every=10)
SMOKE = {"env": "Pendulum-v1", "horizon": 8, "width": 8, "problems": 2, "prompts": 2}
