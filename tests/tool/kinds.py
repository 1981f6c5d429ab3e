"""A recipe of a second of each kind of network that is no language model, to be used again after its run."""

from typing import Literal

import torch

from rlft.environments.point_mass import PointMass
from rlft.methods.ppo import ppo
from rlft.methods.sac import sac
from rlft.models.denoiser import ResidualMLP
from rlft.models.schedules import VELOCITY, RectifiedFlow
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import flow_sde, ode
from rlft.rewards.environment import environment_reward
from rlft.rewards.images import ink
from rlft.runs.drive import Run
from rlft.tasks.digits import Digits
from rlft.tasks.starts import Starts
from rlft.training.trainer import Trainer


def kinds(kind: Literal["pictures", "control", "buffer"] = "pictures", steps: int = 1, seed: int = 0) -> Run:
    """A step of each.

    Args:
        kind: which.
        steps: steps in all.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    if kind == "pictures":
        policy = painter()
        trainer = Trainer(policy, ppo(), Digits("train"), ink, prompts=2, group=2, lr=1e-2, seed=seed)
        return Run(trainer, steps, Digits("test"), problems=2, deploy=policy.with_rule(ode()))
    world = PointMass(horizon=5)
    if kind == "control":
        trainer = Trainer(actor(world), ppo(), Starts(world), environment_reward, prompts=2, group=2, lr=1e-2)
        return Run(trainer, steps, Starts(world, split="test"), problems=2, deploy=trainer.policy.deterministic())
    policy = Control(world, head=StateTanhGaussian, width=8, activation=torch.relu)
    learner = Learner(policy, world, [Phase(sac())], interval=10, batch=8, hidden=(8,), reward=environment_reward)
    return Run(learner, steps, Starts(world, split="test"), problems=2)


def painter() -> Diffusion:
    """Pictures of 8 x 8, in three steps."""
    net = ResidualMLP((8, 8), classes=10, width=8, blocks=1)
    about = {"schedule": RectifiedFlow(), "prediction": VELOCITY, "event": "sum", "shape": (8, 8), "classes": 10}
    return Diffusion(net, steps=3, rule=flow_sde(0.7), critic=True, **about)


def actor(world: PointMass) -> Control:
    """A little policy with a critic."""
    return Control(world, critic=True, width=8)
