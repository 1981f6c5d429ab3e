"""A model that knows nothing: its loss by hand, its members, and rewards and ends that it has to learn."""

import math

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from rlft.environments.menu import Menu, compass
from rlft.environments.point_mass import PointMass
from rlft.environments.swinging import SwingUp
from rlft.types import UserError
from rlft.worldmodels.black_box import LEAST, MOST, BlackBox
from rlft.worldmodels.protocol import Paths, drawn, error
from tests.worldmodels.seen import buffer


def silent(model, outputs):
    """All weights zero, and these biases of the last layer for each member."""
    for parameter in model.parameters():
        parameter.data.zero_()
    for member, values in enumerate(outputs):
        model.nets.biases[-1].data[member, 0] = torch.tensor(values)
    return model


def test_the_loss_by_hand():
    """A mean of 0 and one log-variance v: half of (Δ² e^-v + v), each member's, summed."""
    world = SwingUp()
    model = silent(BlackBox(world, [4], 2, 0), [[0.0] * 6, [0.0] * 3 + [-1.0] * 3])
    seen = torch.tensor([[[1.0, 0.0, 0.0], [1.5, 0.0, 1.0]]])
    one = torch.tensor([[True]])
    loss, _ = model.loss(Paths(seen, torch.zeros(1, 1, 1), torch.zeros(1, 1), ~one, one))

    def bounded(v):
        v = MOST - math.log1p(math.exp(MOST - v))
        return LEAST + math.log1p(math.exp(v - LEAST))

    each = [0.5 * (1.25 / 3 * math.exp(-bounded(v)) + bounded(v)) for v in (0.0, -1.0)]
    assert_close(loss.detach(), torch.tensor(sum(each)))


def test_noise_chooses_a_member_and_the_mean_is_over_all():
    model = silent(BlackBox(SwingUp(), [4], 2, 0), [[1.0] * 3 + [-30.0] * 3, [3.0] * 3 + [-30.0] * 3])
    model.centre.fill_(0.5)
    model.spread.fill_(2.0)
    state, action = torch.zeros(2, 3), torch.zeros(2, 1)
    assert_close(model.step(state, action).state, torch.full((2, 3), 4.5))
    noise = torch.zeros(2, model.noise_size)
    noise[:, 0] = torch.tensor([-0.1, 0.1])
    assert_close(model.step(state, action, noise).state, torch.tensor([[2.5] * 3, [6.5] * 3]))


def test_rewards_and_ends_are_learned_where_the_world_keeps_them():
    model = BlackBox(PointMass(), [4], 2, 0)
    assert model.known is None and model.noise_size == 1 + PointMass().observation_size + 1
    size = model.outputs
    silent(model, [[0.0] * size + [0.0] * size + [1.0], [0.0] * size + [0.0] * size + [3.0]])
    model.centre[-1] = 0.7
    step = model.step(torch.zeros(1, size - 1), torch.zeros(1, 2))
    assert step.reward.tolist() == pytest.approx([0.7]) and step.terminated.tolist() == [True]
    one = torch.tensor([[True]])
    still = Paths(torch.zeros(1, 2, size - 1), torch.zeros(1, 1, 2), torch.full((1, 1), 0.7), one, one)
    ended, _ = model.loss(still)
    alive, _ = model.loss(Paths(still.observations, still.actions, still.rewards, ~one, one))
    logits = torch.tensor([1.0, 3.0])
    expected = functional.softplus(-logits).sum() - functional.softplus(logits).sum()
    assert_close((ended - alive).detach(), expected)


def test_it_learns_and_takes_no_lists():
    world = SwingUp()
    model, held, generator = BlackBox(world, [32], 2, 0), buffer(world), torch.Generator().manual_seed(0)
    model.standardise(drawn([held], 500, 1, generator))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, fused=True)
    judged = drawn([buffer(world, seed=1)], 64, 3, generator)
    before = error(model, judged)["model_error/1"]
    for _ in range(150):
        loss, _ = model.loss(drawn([held], 64, 1, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert error(model, judged)["model_error/1"] < 0.4 * before
    with pytest.raises(UserError, match="continuous"):
        BlackBox(Menu(PointMass(), compass(4)), [4], 2, 0)
