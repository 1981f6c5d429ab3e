"""The peer's half of `benchmarks/control_offline.py`: d3rlpy, in an environment of its own. Imports nothing of ours.

Reads one JSON command a line, answers one JSON line: the returns of held-out episodes, and seconds.
"""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import d3rlpy
import gymnasium
import numpy as np
import torch
from d3rlpy.algos import CalQLConfig, IQLConfig
from d3rlpy.logging import NoopAdapterFactory
from d3rlpy.models.encoders import VectorEncoderFactory

torch.set_num_threads(1)


def configuration(method: str, width: int, lr: float, batch: int):
    """The method's settings, equal to ours where both have them."""
    layers = VectorEncoderFactory([width, width])
    networks = {"actor_encoder_factory": layers, "critic_encoder_factory": layers, "batch_size": batch}
    rates = {"actor_learning_rate": lr, "critic_learning_rate": lr}
    if method == "iql":
        return IQLConfig(**networks, **rates, value_encoder_factory=layers, expectile=0.7, weight_temp=3.0)
    # a fixed weight, as the squared error is not halved here: twice ours
    fixed = {"alpha_learning_rate": 0.0, "initial_alpha": 1.0, "conservative_weight": 5.0}
    return CalQLConfig(**networks, **rates, **fixed, temp_learning_rate=lr, n_action_samples=10, max_q_backup=True)


def returns(method: str, world: str, data: str, updates: int, seed: int, held_out: list[int], **sizes) -> list[float]:
    """Of the deterministic policy from the held-out starts, after so many updates."""
    d3rlpy.seed(seed)
    found = dict(np.load(data))
    terminals, timeouts = found.pop("terminals"), found.pop("timeouts")
    dataset = d3rlpy.dataset.MDPDataset(**found, terminals=terminals, timeouts=timeouts)
    learner = configuration(method, **sizes).create(device="cpu")
    quiet = {"show_progress": False, "logger_adapter": NoopAdapterFactory(), "n_steps_per_epoch": updates}
    learner.fit(dataset, n_steps=updates, **quiet)
    test = gymnasium.make(world)
    return [played(learner, test, key) for key in held_out]


def played(learner, world, key: int) -> float:
    """The return of one episode."""
    seen, _ = world.reset(seed=key)
    low, high = world.action_space.low, world.action_space.high
    total, over = 0.0, False
    while not over:
        action = learner.predict(seen[None].astype(np.float32))[0].clip(-1, 1)
        seen, reward, ended, cut, _ = world.step(low + (action + 1) / 2 * (high - low))
        total, over = total + float(reward), ended or cut
    return total


def main() -> None:
    print(json.dumps({"d3rlpy": d3rlpy.__version__, "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        command, cpu = json.loads(line), time.process_time()
        assert command.pop("do") == "returns"
        result = returns(**command)
        print(json.dumps({"cpu": time.process_time() - cpu, "result": result}), flush=True)


if __name__ == "__main__":
    main()
