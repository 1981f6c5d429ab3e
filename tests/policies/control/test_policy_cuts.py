"""Episodes that a world cuts off: what the critic expects after them, and that a cut is not taken for an end."""

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.protocol import Discrete, Step
from rlft.methods.ppo import ppo
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.training.trainer import Trainer


def problems(control, count):
    return [Starts(control.environment).at(i) for i in range(count)]


class Cutting:
    """Pays 1 a step. Action 1 stops it: as a cut, or as an end. The observation counts the steps, or says nothing."""

    name, observation_size, action = "cutting", 1, Discrete(2)

    def __init__(self, ends=False, horizon=8, counts=True):
        self.ends, self.horizon, self.counts = ends, horizon, counts

    def reset(self, keys):
        return torch.zeros(len(keys), 1, dtype=torch.float64)

    def observe(self, state):
        return state if self.counts else state * 0 + 1

    def step(self, state, action, t, keys):
        stop, never = action[:, 0] == 1, torch.zeros(len(state), dtype=torch.bool)
        return Step(state + 1, state[:, 0] * 0 + 1, stop & self.ends, never if self.ends else stop)


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("clock", [True, False])
def test_what_is_beyond_a_cut(chunk, clock):
    """The critic's value of the state in which a row was cut, at its last decision; the horizon by the clock's say."""
    control = Control(Cutting(), critic=True, clock=clock, chunk=chunk, seed=1).double()
    rollouts = control.sample(problems(control, 40), 2, seed=0)
    beyond, last = rollouts.beyond, rollouts.mask.sum(1) - 1
    lengths = torch.tensor([len(episode) for episode in rollouts.outputs])
    assert lengths.unique().numel() > 4 and (lengths == 8).any()
    state = lengths[:, None].double()
    values = control.critic(torch.cat([state, state / 8], 1) if clock else state)[:, 0]
    cut = torch.tensor([episode.truncated for episode in rollouts.outputs]) & ((lengths < 8) | (not clock))
    assert_close(beyond.gather(1, last[:, None])[cut, 0], values[cut])
    assert int(beyond.isfinite().sum()) == int(cut.sum())
    ended = Control(Cutting(ends=True), critic=True, clock=clock, chunk=chunk, seed=1)
    stopped = ended.sample(problems(ended, 20), 2, seed=0)
    early = torch.tensor([len(episode) < 8 for episode in stopped.outputs])
    assert early.any() and stopped.beyond[early].isnan().all()
    assert not Control(Cutting(), seed=1).sample(problems(control, 2), 2, seed=0).has("beyond")


@pytest.mark.parametrize(("ends", "low", "high"), [(False, 0.3, 0.7), (True, 0.0, 0.1)], ids=["cut", "end"])
@pytest.mark.parametrize(("clock", "gamma"), [(True, 1.0), (False, 0.9)])
def test_a_cut_is_not_taken_for_an_end(ends, low, high, clock, gamma):
    """Stopping is no worse than going on where the world only cuts off, though the critic knows nothing at first."""
    control = Control(Cutting(ends, 20, counts=False), critic=True, clock=clock, width=16)
    trainer = Trainer(
        control, ppo(gamma=gamma), Starts(control.environment), environment_reward, prompts=8, group=8, lr=5e-3
    )
    list(trainer.run(8))
    stop = control.actor(torch.ones(1, 1).double()).softmax(dim=-1)[0, 1].item()
    assert low < stop < high
