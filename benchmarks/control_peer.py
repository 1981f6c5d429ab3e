"""The peer's half of `benchmarks/control.py`: Stable-Baselines3, in an environment of its own. Imports nothing of ours.

Reads one JSON command a line, answers one JSON line: seconds of CPU and of the clock, or a learning curve.
"""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import gymnasium
import numpy as np
import stable_baselines3
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import DummyVecEnv

torch.set_num_threads(1)
WIDTH, BATCH = 256, 256


class Still(gymnasium.Env):
    """A world of these sizes in which nothing happens."""

    def __init__(self, observation: int, action: int):
        self.observation_space = gymnasium.spaces.Box(-10, 10, (observation,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, (action,), np.float32)

    def reset(self, *, seed=None, options=None):
        return np.zeros(self.observation_space.shape, np.float32), {}


class Peer:
    """What is timed, kept between commands so that rounds can alternate."""

    def __init__(self):
        self.model = None
        self.worlds = None
        self.collecting = None

    def updates(self, count: int, observation: int, action: int) -> None:
        if self.model is None:
            world = DummyVecEnv([lambda: Still(observation, action)])
            self.model = SAC("MlpPolicy", world, policy_kwargs={"net_arch": [WIDTH, WIDTH]}, device="cpu", seed=0)
            self.model._setup_learn(1)
            rng = np.random.default_rng(0)
            for _ in range(5000):
                seen = rng.standard_normal((2, 1, observation))
                act, reward = rng.uniform(-1, 1, (1, action)), rng.standard_normal(1)
                self.model.replay_buffer.add(seen[0], seen[1], act, reward, np.zeros(1), [{}])
        self.model.train(gradient_steps=count, batch_size=BATCH)

    def steps(self, count: int, worlds: int) -> None:
        """The vector environment alone, uniform actions."""
        if self.worlds is None:
            self.worlds = DummyVecEnv([lambda: gymnasium.make("Pendulum-v1") for _ in range(worlds)])
            self.worlds.reset()
            self.actions = np.random.default_rng(0).uniform(-2, 2, (worlds, 1)).astype(np.float32)
        for _ in range(count // worlds):
            self.worlds.step(self.actions)

    def collect(self, count: int, worlds: int) -> None:
        """Steps chosen by the policy and put into the buffer."""
        if self.collecting is None:
            world = DummyVecEnv([lambda: gymnasium.make("Pendulum-v1") for _ in range(worlds)])
            settings = {"learning_starts": 0, "gradient_steps": 0, "train_freq": 1, "device": "cpu"}
            self.collecting = SAC("MlpPolicy", world, policy_kwargs={"net_arch": [WIDTH, WIDTH]}, **settings)
        self.collecting.learn(count)

    def curve(
        self, world: str, steps: int, every: int, seed: int, width: int, lr: float, start: int, held_out: list[int]
    ) -> list[float]:
        """Mean return of the deterministic policy from the held-out starts, every so many environment steps."""
        model = SAC(
            "MlpPolicy",
            world,
            learning_rate=lr,
            learning_starts=start,
            batch_size=BATCH,
            policy_kwargs={"net_arch": [width, width]},
            seed=seed,
            device="cpu",
        )
        test, found = gymnasium.make(world), []
        for _ in range(steps // every):
            model.learn(every, reset_num_timesteps=False)
            found.append(float(np.mean([played(model, test, key) for key in held_out])))
        return found


def played(model, world, key: int) -> float:
    """The return of one episode."""
    seen, _ = world.reset(seed=key)
    total, over = 0.0, False
    while not over:
        seen, reward, ended, cut, _ = world.step(model.predict(seen, deterministic=True)[0])
        total, over = total + float(reward), ended or cut
    return total


def main() -> None:
    peer = Peer()
    print(json.dumps({"version": stable_baselines3.__version__, "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        cpu, clock = time.process_time(), time.perf_counter()
        result = getattr(peer, name)(**command)
        took = {"cpu": time.process_time() - cpu, "clock": time.perf_counter() - clock}
        print(json.dumps({**took, "result": result}), flush=True)


if __name__ == "__main__":
    main()
