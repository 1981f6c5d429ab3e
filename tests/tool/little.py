"""A recipe that runs in a second, and dies where it is told to: DIE=reward:3 kills the process while step 3's rewards
are worked out, DIE=save:2 after half of the second checkpoint's first file, DIE=update:5 before the fifth update."""

import os
import signal

import torch

from rlft.environments.point_mass import PointMass
from rlft.measure.control import control
from rlft.methods.ppo import ppo
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.runs import checkpoint
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.training.trainer import Trainer
from rlft.types import Method

torch.set_num_threads(1)


def little(method: Method = ppo(epochs=2), steps: int = 6, seed: int = 0) -> Run:
    """Six short steps.

    Args:
        steps: steps in all.
        seed: of everything.
    """
    where, _, when = os.environ.get("DIE", "").partition(":")
    world = PointMass(horizon=6)
    reward = dying(environment_reward, where == "reward", int(when or 0))
    checkpoint._write = dying(checkpoint._write, where == "save", 2 * int(when or 0), half_a_file)
    trainer = Trainer(
        Control(world, critic=True, width=8),
        method,
        Starts(world),
        reward,
        prompts=4,
        group=2,
        seed=seed,
        watch_kl=True,
    )
    trainer.minimise = dying(trainer.minimise, where == "update", int(when or 0))
    return Run(trainer, steps, Starts(world, split="test"), problems=4, measures=[control(world)])


def dying(function, wanted, count, before=lambda *arguments: None):
    """The function, which the count-th time kills the process, after `before`."""
    calls = []

    def call(*arguments):
        calls.append(1)
        if wanted and len(calls) == count:
            before(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    return call


def half_a_file(path, value):
    """What a write that is cut off leaves."""
    torch.save(value, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
