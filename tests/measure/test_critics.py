"""What critics promise: numbers worked out by hand."""

import pytest
import torch

from rlft.environments.protocol import Box, Discrete, Episode
from rlft.measure.critics import promised


def episode(observation, action, rewards, terminated, dtype=torch.float64):
    seen = torch.full((len(rewards) + 1, 1), observation, dtype=torch.float64)
    actions = torch.tensor([[action]] * len(rewards), dtype=dtype)
    return Episode(seen, actions, torch.tensor(rewards, dtype=torch.float64), terminated, not terminated)


def test_a_promise_and_what_came_true():
    """Two members, a box of ±2: action 1 is 0.5 in its units. Q = member + s + a."""

    def critics(seen, action):
        return torch.stack([member + seen[:, 0] + action[:, 0, 0] for member in (1.0, 3.0)])

    ended = episode(0.25, 1.0, [1.0, 2.0, 4.0], terminated=True)  # Q 2.75, earned 1 + 1 + 1 = 3
    cut = episode(0.5, -2.0, [1.0, 2.0], terminated=False)  # Q 1.5, earned 2, and with 0.3 a step 0.15 more
    measure = promised(critics, Box((-2.0,), (2.0,)), 0.5)
    assert measure([], [ended]) == {"q": 2.75, "overestimate": pytest.approx(-0.25)}
    assert measure([], [ended, cut]) == {"q": 2.125, "overestimate": pytest.approx(-0.375)}
    further = promised(critics, Box((-2.0,), (2.0,)), 0.5, beyond=0.3)
    assert further([], [cut])["overestimate"] == pytest.approx(-0.65)
    assert further([], [ended])["overestimate"] == pytest.approx(-0.25)


def test_discrete_actions_stay_numbers():
    def critics(seen, action):
        return torch.tensor([[10.0, 20.0, 30.0]]).expand(len(seen), -1).gather(1, action[:, 0]).T

    one = episode(0.0, 2, [1.0], terminated=True, dtype=torch.int64)
    assert promised(critics, Discrete(3), 0.9)([], [one]) == {"q": 30.0, "overestimate": 29.0}
