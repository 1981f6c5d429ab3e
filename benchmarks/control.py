"""SAC beside Stable-Baselines3, interleaved, one thread: updates and environment steps a second, learning curves.

    python benchmarks/control.py --peer VENV/bin/python              speeds, into benchmarks/results/control.json
    python benchmarks/control.py --peer VENV/bin/python --curve Pendulum-v1  returns at equal steps

VENV is an environment of its own: `pip install stable-baselines3 torch==2.13.0`. Times are CPU seconds of the process,
medians over rounds in which the two alternate; `products` is the time of the bare matrix products of an update, by the
library that ours takes.
"""

import argparse
import json
import os
import subprocess
import time
from functools import partial
from pathlib import Path
from statistics import median

os.environ["OMP_NUM_THREADS"] = "1"

import torch

from rlft import products as library
from rlft.environments.gym import Gymnasium
from rlft.environments.pendulum import Pendulum
from rlft.environments.protocol import Box, Step
from rlft.methods.sac import sac
from rlft.noise import uniform
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.products import times
from rlft.rewards.environment import environment_reward
from rlft.runs.folder import circumstances
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate

ROOT = Path(__file__).parents[1]
OBSERVATION, ACTION, WIDTH, BATCH = 11, 3, 256, 256  # Hopper's sizes
WORLDS, PEER_WORLDS, EPISODES = 1024, 16, 20


class Still:
    """A world of these sizes in which nothing happens."""

    name, observation_size, action, horizon = "still", OBSERVATION, Box((-1.0,) * ACTION, (1.0,) * ACTION), 1000

    def reset(self, keys):
        return torch.zeros(len(keys), OBSERVATION)

    def observe(self, state):
        return state

    def step(self, state, action, t, keys):
        never = torch.zeros(len(state), dtype=torch.bool)
        return Step(state, torch.zeros(len(state)), never, never)


class Peer:
    """A script of this folder in a process of its own with a Python of its own, asked line by line."""

    def __init__(self, python: str, script: str = "control_peer.py"):
        self.script = script
        command = [python, str(ROOT / "benchmarks" / script)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        self.about = self.answer()

    def answer(self) -> dict:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.startswith("{"):  # some peers also print what they are doing
                return json.loads(line)
        raise SystemExit(f"the peer ended: run benchmarks/{self.script} by hand with its Python to see why")

    def do(self, name: str, **settings) -> dict:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": name, **settings}) + "\n")
        self.process.stdin.flush()
        return self.answer()


def policy(world, width: int, seed: int = 0) -> Control:
    return Control(world, head=partial(StateTanhGaussian, std=1.0), width=width, activation=torch.relu, seed=seed)


def updating() -> Learner:
    """Ready to be updated, with 5000 random transitions."""
    world = Still()
    learner = Learner(policy(world, WIDTH), world, [Phase(sac())], batch=BATCH, hidden=(WIDTH, WIDTH), capacity=10_000)
    g = torch.Generator().manual_seed(0)
    rows, alone = 5000, torch.full((5000,), -1)
    seen, after = torch.randn(2, rows, OBSERVATION, generator=g)
    act, reward = 2 * torch.rand(rows, ACTION, generator=g) - 1, torch.randn(rows, generator=g)
    learner.buffer.add(seen, act, reward, after, torch.zeros(rows, dtype=torch.bool), alone)
    return learner


def stepping(world: Pendulum, count: int) -> None:
    """The environment alone, uniform actions."""
    keys = torch.arange(WORLDS)
    state, action = world.reset(keys), 4 * uniform(keys, 1) - 2
    for t in range(count // WORLDS):
        state = world.step(state, action, t % world.horizon, keys).state
        world.observe(state)


def collecting() -> Learner:
    world = Pendulum()
    phases = [Phase(sac(), worlds=WORLDS, warmup=10**9)]
    return Learner(policy(world, WIDTH), world, phases, hidden=(WIDTH, WIDTH), capacity=200_000)


def products() -> list:
    """The matrix products of one update: (members, rows, inner, columns)."""
    actor = [(1, BATCH, OBSERVATION, WIDTH), (1, BATCH, WIDTH, WIDTH), (1, BATCH, WIDTH, 2 * ACTION)]
    critic = [(2, BATCH, OBSERVATION + ACTION, WIDTH), (2, BATCH, WIDTH, WIDTH), (2, BATCH, WIDTH, 1)]

    def weights(layers):
        return [(e, k, m, n) for e, m, k, n in layers]

    def inputs(layers):
        return [(e, m, n, k) for e, m, k, n in layers]

    targets = actor + critic
    fit = critic + weights(critic) + inputs(critic[1:])
    step = actor + critic + inputs(critic) + weights(actor) + inputs(actor[1:])
    return targets + fit + step


def multiplying(count: int, held: list) -> None:
    for _ in range(count):
        for a, b in held:
            for one, other in zip(a, b, strict=True):
                times(one, other)


def timed(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def speeds(peer: Peer, rounds: int, updates: int) -> dict:
    """CPU seconds of each, by turns."""
    learner, collector, world = updating(), collecting(), Pendulum()
    held = [(torch.randn(e, m, k), torch.randn(e, k, n)) for e, m, k, n in products()]
    sizes = {"observation": OBSERVATION, "action": ACTION}
    works = {
        "updates": (updates, lambda: [learner.update(learner.phase) for _ in range(updates)]),
        "products": (updates, lambda: multiplying(updates, held)),
        "steps": (200 * WORLDS, lambda: stepping(world, 200 * WORLDS)),
        "collect": (100 * WORLDS, lambda: [collector.collector.step(collector.policy) for _ in range(100)]),
    }
    asked = {
        "updates": (updates, {**sizes, "count": updates}),
        "steps": (10_000, {"count": 10_000, "worlds": PEER_WORLDS}),
        "collect": (5_000, {"count": 5_000, "worlds": PEER_WORLDS}),
    }
    ours: dict[str, list] = {name: [] for name in works}
    theirs: dict[str, list] = {name: [] for name in asked}
    for turn in range(rounds + 1):  # the first warms up
        for name, (count, work) in works.items():
            seconds = timed(work)
            ours[name] += [count / seconds] if turn else []
            if name in asked:
                count, settings = asked[name]
                answer = peer.do(name, **settings)
                theirs[name] += [count / answer["cpu"]] if turn else []
    rows = {}
    for name, rates in ours.items():
        rows[name] = {"ours": median(rates)}
        if name in theirs:
            pairs = [a / b for a, b in zip(rates, theirs[name], strict=True)]
            rows[name] |= {"theirs": median(theirs[name]), "ratio": median(pairs), "worst": min(pairs)}
    rows["updates"]["share of products"] = median(ours["updates"]) / median(ours["products"])
    return rows


def curve(name: str, steps: int, every: int, seed: int, width: int, lr: float, start: int) -> list[float]:
    """Our half of the peer's `curve`: the same environment, sizes, rates and number of updates."""
    world = Gymnasium(name)
    phases = [Phase(sac(alpha_lr=lr), anything=start, warmup=start + 1)]
    settings = {"batch": BATCH, "interval": every, "lr": lr, "hidden": (width, width), "capacity": steps}
    learner = Learner(policy(world, width, seed), world, phases, seed=seed, **settings)
    found, unseen = [], Starts(world, split="test")
    for _ in learner.run(steps // every):
        chosen = learner.policy.deterministic()
        found.append(evaluate(chosen, unseen, environment_reward, problems=EPISODES).mean)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="a Python that has stable_baselines3")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--updates", type=int, default=100, help="in each round")
    parser.add_argument("--curve", help="a Gymnasium environment: Pendulum-v1, InvertedPendulum-v5, HalfCheetah-v5")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--every", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--mkl", action="store_true", help="MKL's products, as where oneDNN is no faster")
    parser.add_argument("--start", type=int, default=200, help="steps of uniform actions before learning")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.mkl:
        library.mkl_is_slower = lambda: False
    peer = Peer(asked.peer)
    if asked.curve:
        settings = {"steps": asked.steps, "every": asked.every, "width": asked.width, "lr": asked.lr}
        settings |= {"start": asked.start}
        rows = []
        for seed in range(asked.seeds):
            ours = curve(asked.curve, seed=seed, **settings)
            unseen = Starts(asked.curve, split="test")
            keys = [unseen.at(index).input % 2**31 for index in range(EPISODES)]
            theirs = peer.do("curve", world=asked.curve, seed=seed, held_out=keys, **settings)["result"]
            rows.append({"ours": ours, "theirs": theirs})
            print(json.dumps(rows[-1]), flush=True)
        name, found = f"control_{asked.curve}.json", {"settings": settings, "seeds": rows}
    else:
        name = "control_mkl.json" if asked.mkl else "control.json"
        found = speeds(peer, asked.rounds, asked.updates)
        print(json.dumps(found, indent=1))
    folder = ROOT / "benchmarks" / "results"
    (folder / name).write_text(json.dumps({**found, "peer": peer.about, **circumstances()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
