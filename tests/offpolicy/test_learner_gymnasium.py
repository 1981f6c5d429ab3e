"""Gymnasium's and MuJoCo's worlds in the collector: their state is hidden, and restored by playing again."""

import copy

import pytest
import torch

from rlft.methods.sac import sac
from rlft.offpolicy.learner import Phase
from rlft.types import UserError
from tests.offpolicy.test_learner import learner, weights


def world(name, **settings):
    pytest.importorskip("gymnasium", reason="gymnasium is not installed: pip install 'rlft[control]'")
    from rlft.environments.gym import Gymnasium

    try:
        return Gymnasium(name, **settings)
    except (UserError, ImportError) as error:
        pytest.skip(f"{name} is not there: {error}")


@pytest.mark.parametrize("name", ["Pendulum-v1", "Hopper-v5"])
def test_stop_and_resume_in_the_middle_of_an_episode(name):
    made = world(name, horizon=12)

    def build():
        return learner(Phase(sac(), worlds=2, anything=6, warmup=8), world=made)

    straight, states = build(), []
    while straight.steps_done < 4:
        states.append(copy.deepcopy(straight.state_dict()))
        straight.advance()
    assert any(state["shared"]["collector"]["t"] not in (0, 12) for state in states)
    for state in states[::3]:
        resumed = build()
        resumed.load_state_dict(state)
        list(resumed.run(4))
        assert torch.equal(weights(resumed), weights(straight))
        assert torch.equal(resumed.buffer.columns["observation"], straight.buffer.columns["observation"])


def test_an_evaluation_does_not_disturb_the_worlds():
    made = world("Pendulum-v1", horizon=9)
    calm, disturbed = (learner(Phase(sac(), warmup=1000), world=made) for _ in range(2))
    for _ in range(6):
        calm.collector.step(calm.policy)
        disturbed.policy.sample([disturbed.task.at(3)], 2, seed=1)
        disturbed.collector.step(disturbed.policy)
    assert torch.equal(calm.buffer.columns["observation"], disturbed.buffer.columns["observation"])
    assert calm.buffer.columns["observation"][:6].std() > 0


def test_a_world_that_ends_itself_is_terminated():
    """Hopper falls within a hundred steps of uniform actions: that is an end, and the horizon a cut."""
    one = learner(Phase(sac(), anything=10**6, warmup=10**6), world=world("Hopper-v5", horizon=60), capacity=400)
    ended = []
    while len(ended) < 4:
        ended += one.collector.step(one.policy, anything=True)
    held = one.buffer.columns
    ends = [episode for _, episode in ended if episode.terminated]
    assert ends and all(len(episode) < 60 for episode in ends)
    assert int(held["terminated"].sum()) == len(ends)
    assert int((held["follow"][: len(one.buffer)] < 0).sum()) == len(ended)
