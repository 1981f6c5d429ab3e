"""Kill runs of every family at random moments, go on with them, and compare every file with that of a straight run.

    python benchmarks/kill.py                 60 kills, prints what differs, exit code 1 if anything does (minutes)
    python benchmarks/kill.py --kills 1000 --seed 1 --families language diffusion

Three of four kills are SIGKILL, the others SIGTERM, a clean stop. A run is killed again with even chances once it goes
on. The file is also the recipe of these runs: `rlft run benchmarks/kill.py --family control`. Runs are forks of this
process, so that an hour of kills is no hour of imports.
"""

import argparse
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Literal

import matplotlib.pyplot  # noqa: F401  (before the forks)
import torch

from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.measure.control import control as measured
from rlft.methods.ppo import ppo
from rlft.methods.sac import sac
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.rewards.environment import environment_reward
from rlft.runs import checkpoint
from rlft.runs.drive import Run
from rlft.runs.folder import circumstances
from rlft.tasks.starts import Starts
from rlft.tool import self_test
from rlft.tool.main import main as rlft

FAMILIES = ("language", "diffusion", "masked", "control", "off-policy")
# What of a file depends on the clock, or on how often a run was begun.
_CLOCK = re.compile(r"seconds|decisions_per_second|^started$|^ended$|^command$|^words$|^folder$")


def kill(
    family: Literal["language", "diffusion", "masked", "control", "off-policy"] = "control",
    steps: int = 8,
    seed: int = 0,
) -> Run:
    """A short run of one family, evaluated on the way.

    Args:
        family: which.
        steps: steps in all.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    if family == "off-policy":
        world = PointMass(horizon=8, gust=0.1)
        policy = Control(world, head=lambda w, n: StateTanhGaussian(w, n, std=0.7), width=16, activation=torch.relu)
        phases = [Phase(sac(), steps=3, worlds=0, offline=1.0), Phase(sac(), worlds=2, offline=0.5, warmup=4)]
        data = demonstrations(world, 6, seed=1, clumsy=0.2)
        trainer = Learner(policy, world, phases, data=data, batch=16, interval=24, hidden=(16,), capacity=64)
        held_out = Starts(world, split="test")
        return Run(trainer, steps, held_out, environment_reward, problems=4, measures=[measured(world)], every=2)
    trainer = self_test.FAMILIES[family][0](ppo(epochs=2, minibatches=2))
    return Run(trainer, steps, trainer.task, problems=4, samples=2, every=2)


def started(words: list[str], said: Path) -> multiprocessing.Process:
    """A fork of this process that runs the tool with these words."""

    def run() -> None:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        torch.set_num_threads(1)
        rlft(words)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def straight(family: str, folder: Path) -> float:
    """A run that nobody disturbs, and how long it took until all but its page was done."""
    begin = time.time()
    process = started(words_of(family, folder / family), folder / f"{family}.log")
    process.join()
    assert process.exitcode == 0, (folder / f"{family}.log").read_text()
    return (folder / family / "run.json").stat().st_mtime - begin


def words_of(family: str, folder: Path) -> list[str]:
    """How a run is started."""
    often = ["--save-every", "3", "--samples-every", "2"]
    return ["run", __file__, "--family", family, "--out", str(folder), *often]


def killed(family: str, folder: Path, seconds: float, rng: random.Random) -> int:
    """A run that is killed, goes on and may be killed again, until it is done; how often that was."""
    kills, log = 0, folder.with_suffix(".log")
    while True:
        if kills and not folder.exists():
            kills = 0  # it was stopped cleanly before it had done anything: a new run is as good
        words = ["train", "--resume", str(folder)] if (folder / "run.json").exists() else words_of(family, folder)
        process = started(words, log)
        if kills == 0 or rng.random() < 0.5:
            process.join(rng.uniform(0.0, 1.1 * seconds))
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGKILL if rng.random() < 0.75 else signal.SIGTERM)
                kills += 1
        process.join()
        if process.exitcode == 0:
            return kills
        if process.exitcode not in (-signal.SIGKILL, -signal.SIGTERM, 3, 130):
            raise AssertionError(f"{family} ended with {process.exitcode}: {log.read_text()[-2000:]}")


def differences(folder: Path, like: Path) -> list[str]:
    """The files of a run that are not as those of another, apart from the clock."""
    names = [
        sorted(str(p.relative_to(f)) for p in f.rglob("*") if "checkpoints" not in p.parts) for f in (folder, like)
    ]
    found = [f"{name} is in one of them" for name in set(names[0]) ^ set(names[1])]
    for name in set(names[0]) & set(names[1]):
        one, other = folder / name, like / name
        if name.endswith((".json", ".jsonl")) and "model" not in one.parts:
            same = [_timeless(json.loads(line)) for line in _documents(one)] == [
                _timeless(json.loads(line)) for line in _documents(other)
            ]
        else:
            same = one.is_dir() or name.endswith(".html") or one.read_bytes() == other.read_bytes()
        found += [] if same else [f"{name} differs"]
    newest = [checkpoint.load(f / "checkpoints") for f in (folder, like)]
    if newest[0][1].name != newest[1][1].name or not _equal(newest[0][0]["shared"], newest[1][0]["shared"]):
        found.append("the last checkpoint differs")
    if len(list((folder / "checkpoints").iterdir())) > 2:
        found.append("something was left among the checkpoints")
    return found


def _documents(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if not _CLOCK.search(key)}
    return value


def _equal(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other


def main() -> int:
    """Kill until there were enough, and say what differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    told = parser.parse_args()
    torch.set_num_threads(1)
    circumstances()  # imports what every run would
    rng, place, kills, runs, wrong = random.Random(told.seed), Path(tempfile.mkdtemp(prefix="rlft-kill-")), 0, 0, 0
    seconds = {family: straight(family, place) for family in told.families}
    print(", ".join(f"{family} {spent:.1f} s" for family, spent in seconds.items()), flush=True)
    while kills < told.kills:
        family = told.families[runs % len(told.families)]
        folder = place / f"{family}-{runs}"
        count = killed(family, folder, seconds[family], rng)
        found = differences(folder, place / family)
        kills, runs, wrong = kills + count, runs + 1, wrong + bool(found)
        print(f"{family:<10} killed {count}, {kills} in all: {'; '.join(found) or 'the same'}", flush=True)
        if not found:
            shutil.rmtree(folder)
    print(f"{kills} kills of {runs} runs, {wrong} of which differ from a straight run; what is left is in {place}")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
