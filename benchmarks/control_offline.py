"""IQL and Cal-QL beside d3rlpy: returns after equal numbers of updates on the same data, several seeds.

    python benchmarks/control_offline.py --peer VENV/bin/python --world Hopper-v5

VENV is an environment of its own: `pip install d3rlpy torch==2.13.0 "gymnasium[mujoco]==1.4.0"`. The data are episodes
that a SAC of ours played at ten places of its training, made once and cached. Both learn with the same widths, batch,
rates and weights, and are judged by the same held-out starts without noise. Results: benchmarks/results/.
"""

import argparse
import json
import os
import time
from functools import partial
from statistics import mean, stdev
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from control import ROOT, Peer

from rlft.cache import cache_dir, cached
from rlft.environments.gym import Gymnasium
from rlft.environments.protocol import Episode
from rlft.methods.cal_ql import cal_ql
from rlft.methods.iql import iql
from rlft.methods.sac import sac
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Control, StateTanhGaussian, TanhGaussian
from rlft.rewards.environment import environment_reward
from rlft.runs.folder import circumstances
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate

EPISODES, STAGES = 20, 10
# the weight of the conservative term is half of the peer's, whose squared error is not halved
METHODS = {"iql": iql(), "cal_ql": cal_ql(weight=2.5)}


def policy(world: Gymnasium, width: int, seed: int, head: Any = StateTanhGaussian) -> Control:
    return Control(world, head=partial(head, std=1.0), width=width, activation=torch.relu, seed=seed)


def played(world: Gymnasium, steps: int) -> list[Episode]:
    """Episodes of a SAC on the way, with its noise; about `steps` steps in all, the same share from each stage."""
    learner = Learner(
        policy(world, 64, 1000),
        world,
        [Phase(sac(alpha_lr=1e-3), anything=1000, warmup=1001)],
        interval=steps // STAGES,
        lr=1e-3,
        hidden=(64, 64),
        batch=128,
        capacity=steps,
        seed=1000,
    )
    found, starts = [], Starts(world, split="train")
    for stage, _ in enumerate(learner.run(STAGES)):
        taken, place = 0, 1000 * (stage + 1)
        while taken < steps // STAGES:
            found += learner.policy.sample([starts.at(place)], 1, stage).outputs
            taken, place = taken + len(found[-1]), place + 1
    return found


def columns(episodes: list[Episode], world: Gymnasium) -> dict[str, Any]:
    """The arrays that d3rlpy reads; actions between -1 and 1."""
    ends = [np.arange(len(e)) == len(e) - 1 for e in episodes]
    return {
        "observations": torch.cat([e.observations[:-1] for e in episodes]).float().numpy(),
        "actions": torch.cat([world.action.unit(e.actions) for e in episodes]).float().numpy(),
        "rewards": torch.cat([e.rewards for e in episodes]).float().numpy(),
        "terminals": np.concatenate([end & e.terminated for end, e in zip(ends, episodes, strict=True)]) * 1.0,
        "timeouts": np.concatenate([end & (not e.terminated) for end, e in zip(ends, episodes, strict=True)]) * 1.0,
    }


def ours(method: str, world: Gymnasium, data: list[Episode], updates: int, seed: int, width, lr, batch) -> list[float]:
    """Our half: the returns of the policy without noise."""
    head = TanhGaussian if method == "iql" else StateTanhGaussian
    made = METHODS[method] if method == "iql" else cal_ql(weight=2.5, alpha_lr=lr)
    settings = {"lr": lr, "batch": batch, "hidden": (width, width), "interval": updates, "seed": seed, "capacity": 1}
    phases = [Phase(made, worlds=0, offline=1.0)]
    learner = Learner(policy(world, width, seed, head), world, phases, data=data, **settings)
    list(learner.run(1))
    chosen, unseen = learner.policy.deterministic(), Starts(world, split="test")
    return evaluate(chosen, unseen, environment_reward, problems=EPISODES).rewards.flatten().tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="a Python that has d3rlpy")
    parser.add_argument("--world", default="Hopper-v5", help="a Gymnasium environment")
    parser.add_argument("--steps", type=int, default=20_000, help="of the data")
    parser.add_argument("--updates", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=3e-4)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    world, peer = Gymnasium(asked.world), Peer(asked.peer, "control_offline_peer.py")
    data = cached(
        f"control_offline-{asked.world}-{asked.steps}-1",
        lambda: played(world, asked.steps),
        torch.save,
        lambda path: torch.load(path, weights_only=False),
    )
    file = cache_dir() / f"control_offline-{asked.world}-{asked.steps}-1.npz"
    if not file.exists():
        np.savez(file, **columns(data, world))
    unseen = Starts(world, split="test")
    keys = [unseen.at(index).input % 2**31 for index in range(EPISODES)]
    sizes = {"width": asked.width, "lr": asked.lr, "batch": asked.batch}
    rows = []
    for seed in range(asked.seeds):
        for method in METHODS:
            began = time.process_time()
            mine = mean(ours(method, world, data, asked.updates, seed, **sizes))
            cpu = time.process_time() - began
            common = {"world": asked.world, "data": str(file), "updates": asked.updates, "seed": seed, **sizes}
            answer = peer.do("returns", method=method, held_out=keys, **common)
            theirs = mean(answer["result"])
            rows.append({"method": method, "seed": seed, "ours": mine, "theirs": theirs})
            rows[-1] |= {"cpu": {"ours": cpu, "theirs": answer["cpu"]}}
            print(json.dumps(rows[-1]), flush=True)
    about = {"steps": asked.steps, "episodes": len(data), "updates": asked.updates, **sizes}
    about["return of the data"] = mean(float(e.rewards.sum()) for e in data)
    for method in METHODS:
        pairs = [(row["ours"], row["theirs"]) for row in rows if row["method"] == method]
        for side, values in zip(("ours", "theirs"), zip(*pairs, strict=True), strict=True):
            print(f"{method:8} {side:7} {mean(values):8.1f} ± {stdev(values):.1f} over {len(values)} seeds")
    path = ROOT / "benchmarks" / "results" / f"control_offline_{asked.world}.json"
    found = {"about": about, "rows": rows, "peer": peer.about, **circumstances()}
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
