"""A model as an environment: with the truth as the model it is the world, and a policy is trained in either alike."""

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.play import play
from rlft.environments.protocol import Environment
from rlft.environments.swinging import CartSwingUp, SwingUp
from rlft.methods.sac import sac
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.tasks.starts import Starts
from rlft.types import UserError
from rlft.worldmodels.black_box import BlackBox
from rlft.worldmodels.environment import Imagined
from rlft.worldmodels.physics import Physics


def swung(world, keys):
    """Episodes of actions that depend on what is seen."""
    high = world.action.high[0]
    return play(world, keys, keys, lambda seen, rows, t: (high * (seen[:, -1:] + 0.3 * seen[:, :1]).sin())[:, None])


@pytest.mark.parametrize("world", [SwingUp(horizon=30), CartSwingUp(horizon=30, track=0.5)])
def test_with_the_truth_as_the_model_it_is_the_world(world):
    inside = Imagined(Physics(world, world, [4], 0), world, certain=True)
    assert isinstance(inside, Environment)
    keys = torch.arange(12)
    there, here = swung(world, keys), swung(inside, keys)
    assert_close(here.observations, there.observations, atol=1e-9, rtol=0)
    assert_close(here.rewards, there.rewards, atol=1e-9, rtol=0)
    assert torch.equal(here.length, there.length) and torch.equal(here.terminated, there.terminated)
    assert torch.equal(here.truncated, there.truncated)


def test_starts_come_from_data_and_noise_belongs_to_the_row():
    world = SwingUp()
    starts = world.observe(torch.tensor([[0.1, 0.0], [0.2, 1.0], [-0.3, 2.0]], dtype=torch.float64))
    inside = Imagined(BlackBox(world, [4], 2, 0), world, starts, horizon=3)
    keys = torch.tensor([4, 3, 8])
    state = inside.reset(keys)
    assert torch.equal(inside.observe(state), starts[keys % 3])
    action = torch.ones(3, 1, dtype=torch.float64)
    together = inside.step(state, action, 1, keys)
    alone = inside.step(state[1:2], action[:1], 1, keys[1:2])
    assert_close(together.state[1:2], alone.state, atol=1e-12, rtol=0)
    assert not torch.equal(together.state, inside.step(state, action, 0, keys).state)
    assert [bool(inside.step(state, action, t, keys).truncated.all()) for t in (1, 2)] == [False, True]
    assert Starts(inside).name == "imagined swing_up"


def test_a_policy_is_trained_in_it_as_in_the_world():
    world = SwingUp(horizon=6)
    inside = Imagined(Physics(world, world, [4], 0), world)
    policy = Control(inside, head=StateTanhGaussian, width=8, activation=torch.relu)
    made = Learner(policy, inside, [Phase(sac(), worlds=2)], batch=8, interval=12, hidden=(8,), capacity=64)
    metrics = made.step()
    assert metrics["updates"] > 0 and metrics["loss"] == metrics["loss"]
    assert policy.deterministic().sample([Starts(inside).at(0)], 2, 0).outputs[0].truncated


def test_starts_that_are_none():
    for starts in (torch.zeros(0, 3), torch.zeros(2, 4)):
        with pytest.raises(UserError, match="at least one observation of 3 numbers"):
            Imagined(BlackBox(SwingUp(), [4], 2, 0), SwingUp(), starts)
    with pytest.raises(UserError, match="at least 1 step"):
        Imagined(BlackBox(SwingUp(), [4], 2, 0), SwingUp(), horizon=0)
