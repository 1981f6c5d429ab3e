"""A run that takes a tenth of a second, and what is compared of its folder."""

import json
import os
import signal

import torch

from rlft.environments.point_mass import PointMass
from rlft.methods.ppo import ppo
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.runs.drive import Run, drive
from rlft.runs.folder import Cadence, begin
from rlft.runs.lock import held
from rlft.tasks.starts import Starts
from rlft.training.trainer import Trainer


def tiny(steps=4, reward=environment_reward, every=0, ahead=0):
    """Built anew, and always alike."""
    torch.manual_seed(0)
    world = PointMass(horizon=4)
    policy = Control(world, critic=True, width=4)
    trainer = Trainer(policy, ppo(epochs=2), Starts(world), reward, prompts=2, group=2, ahead=ahead)
    return Run(trainer, steps, Starts(world, split="test"), reward=environment_reward, problems=2, every=every)


def failing(at, error=RuntimeError("asleep"), first=0):
    """The reward, which raises the at-th time it is asked, or does what it is given."""
    calls = []

    def reward(problems, outputs):
        calls.append(1)
        if len(calls) + first == at:
            if callable(error):
                error()
            else:
                raise error
        return environment_reward(problems, outputs)

    return reward


def deadly(step):
    """The reward of a run that is killed in the rewards of this step."""
    return failing(step, lambda: os.kill(os.getpid(), signal.SIGKILL))


def start(folder, run=None, track=(), **cadence):
    """A new folder, and the run in it."""
    with held(folder):
        begin(folder, {"recipe": "tiny", "track": track})
        return drive(run or tiny(), folder, Cadence(**{"save": 2, "samples": 1, **cadence}), quiet=True, page=False)


def go_on(folder, run=None, samples=1):
    """The same run again, from where it stands."""
    return drive(run or tiny(), folder, Cadence(save=2, samples=samples), quiet=True, page=False)


def lines(folder, name):
    """A log without what depends on the clock."""
    found = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith(("seconds", "decisions_per"))} for line in found]


def everything(folder):
    """All that two runs must have alike."""
    logs = {name: lines(folder, name) for name in ("metrics", "samples", "evaluations")}
    weights = (folder / "model" / "weights.safetensors").read_bytes()
    return {**logs, "model": weights, "names": sorted(path.name for path in folder.iterdir())}


def status(folder):
    """Where a run stands."""
    return json.loads((folder / "run.json").read_text())["status"]
