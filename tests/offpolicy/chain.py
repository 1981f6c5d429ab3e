"""Two states, two actions, all known: an environment whose soft-optimal values can be computed exactly."""

from dataclasses import dataclass, field

import torch

from rlft.environments.protocol import Discrete, Step

# reward and next state of (state, action); action 1 of state 1 ends the episode
REWARD = torch.tensor([[0.3, -0.2], [1.0, 0.7]], dtype=torch.float64)
NEXT = torch.tensor([[0, 1], [0, 1]])
ENDS = torch.tensor([[False, False], [False, True]])


@dataclass(frozen=True)
class Chain:
    horizon: int = 6
    name: str = field(default="chain", init=False)
    observation_size: int = field(default=2, init=False)
    action: Discrete = field(default=Discrete(2), init=False)

    def reset(self, keys):
        return (keys % 2).double()[:, None]

    def observe(self, state):
        return torch.nn.functional.one_hot(state[:, 0].long(), 2).double()

    def step(self, state, action, t, keys):
        here, act = state[:, 0].long(), action[:, 0]
        ended = ENDS[here, act]
        out_of_time = torch.full_like(ended, t + 1 >= self.horizon) & ~ended
        return Step(NEXT[here, act].double()[:, None], REWARD[here, act], ended, out_of_time)


def soft_optimal(gamma, alpha):
    """Q of the soft Bellman equation, by iteration to rounding."""
    q = torch.zeros(2, 2, dtype=torch.float64)
    for _ in range(5000):
        v = alpha * torch.logsumexp(q / alpha, dim=1)
        q = REWARD + gamma * torch.where(ENDS, 0, v[NEXT])
    return q


def uniform(gamma):
    """Q of the policy that takes either action half of the time."""
    q = torch.zeros(2, 2, dtype=torch.float64)
    for _ in range(5000):
        q = REWARD + gamma * torch.where(ENDS, 0, q.mean(dim=1)[NEXT])
    return q
