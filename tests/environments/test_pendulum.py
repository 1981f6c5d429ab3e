"""Pendulum against Gymnasium's own, step for step, and what the measures read off it."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from rlft.environments.pendulum import Pendulum
from rlft.types import UserError

gymnasium = pytest.importorskip("gymnasium")


@pytest.mark.parametrize(("g", "mass", "length"), [(10.0, 1.0, 1.0), (9.81, 1.6, 1.2)])
def test_step_for_step_as_gymnasium(g, mass, length):
    world = Pendulum(g=g, mass=mass, length=length)
    reference = gymnasium.make("Pendulum-v1", g=g).unwrapped
    reference.m, reference.l = mass, length
    reference.reset(seed=0)
    generator = np.random.default_rng(1)
    states = generator.uniform((-9, -8.5), (9, 8.5), (300, 2))
    torques = generator.uniform(-3, 3, (300, 1))
    out = world.step(torch.tensor(states), torch.tensor(torques), 0, torch.arange(300))
    for i, (state, torque) in enumerate(zip(states, torques, strict=True)):
        reference.state = state
        observation, reward, terminated, _, _ = reference.step(torque)
        assert_close(out.state[i], torch.tensor(reference.state), atol=1e-9, rtol=0)
        assert_close(out.reward[i], torch.tensor(reward), atol=1e-9, rtol=0)
        assert not terminated
        # gymnasium rounds observations to float32
        assert_close(world.observe(out.state)[i].float(), torch.tensor(observation), atol=1e-6, rtol=0)
    assert (torques**2 > 4).sum() > 50
    assert (out.state[:, 1].abs() == 8).sum() > 5
    assert not out.terminated.any()


def test_only_the_clock_ends_it():
    world = Pendulum(horizon=4)
    state, nothing = torch.zeros(2, 2).double(), torch.zeros(2, 1).double()
    ends = [world.step(state, nothing, at, torch.arange(2)) for at in (2, 3)]
    assert [end.truncated.tolist() for end in ends] == [[False, False], [True, True]]
    assert not any(end.terminated.any() for end in ends)


def test_starts_fill_the_circle():
    state = Pendulum().reset(torch.arange(4000))
    expected = torch.tensor([math.pi / math.sqrt(3), 1 / math.sqrt(3)]).double()
    assert_close(state.std(dim=0), expected, rtol=0.04, atol=0)  # 3 standard errors
    assert state.abs().amax(dim=0)[0] < math.pi
    assert 0.99 < state.abs().amax(dim=0)[1] < 1
    assert torch.equal(Pendulum().reset(torch.tensor([17]))[0], state[17])


def test_what_is_measured():
    world = Pendulum(length=0.5)
    seen = world.observe(torch.tensor([[0.3, 1.0], [-0.3 - 2 * math.pi, 0.0], [math.pi, 2.0]]).double())
    assert_close(world.distance(seen), torch.tensor([0.3, 0.3, math.pi]).double())
    assert_close(world.position(seen)[2], torch.tensor([-0.5, 0.0]).double())
    assert_close(world.effort(torch.tensor([[1.5], [-7.0]]).double()), torch.tensor([2.25, 4.0]).double())


def test_a_weightless_pendulum_is_refused():
    with pytest.raises(UserError, match="positive"):
        Pendulum(mass=0.0)
