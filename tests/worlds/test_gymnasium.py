"""What no network of vectors can read is refused."""

import gymnasium
import numpy as np
import pytest
import torch

from rlft.environments.protocol import Episode
from rlft.types import UserError
from rlft.worlds.gymnasium import ended, named


class Seen(gymnasium.Env):
    """A world that shows a picture."""

    observation_space = gymnasium.spaces.Box(0, 255, (4, 5, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)


def test_pictures_are_refused():
    gymnasium.register("Seen-v0", Seen, max_episode_steps=5)
    with pytest.raises(UserError, match="Seen-v0 shows pictures of 4 x 5 x 3"):
        named("Seen-v0", None)
    assert named("CartPole-v1", 7).horizon == 7


def test_how_long_and_how_they_end():
    def episode(steps, terminated):
        zeros = torch.zeros(steps, 1)
        return Episode(torch.zeros(steps + 1, 1), zeros, zeros[:, 0], terminated, not terminated)

    assert ended([], [episode(2, True), episode(5, False), episode(5, False)]) == {"length": 4.0, "terminated": 1 / 3}
