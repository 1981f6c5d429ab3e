"""Steps that were played, for models to learn from."""

import torch

from rlft.environments.play import play
from rlft.noise import uniform
from rlft.offpolicy.buffer import Buffer


def buffer(world, episodes=6, seed=0, dtype=torch.float32):
    """Episodes of uniform actions."""
    keys = torch.arange(episodes) + 100 * seed
    low, high = world.action.bounds(torch.zeros(1, dtype=torch.float64))

    def act(observation, rows, decision):
        return (low + (high - low) * uniform(keys[rows], torch.tensor([decision])))[:, None]

    held = Buffer(episodes * world.horizon, world.observation_size, world.action, dtype=dtype)
    held.extend(play(world, keys, keys, act).episodes())
    return held
