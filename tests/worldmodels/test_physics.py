"""The physics-informed model: nothing added is the nominal mechanics, its loss by hand, a friction to find."""

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.mechanics import integrated
from rlft.environments.swinging import CartSwingUp, SwingUp
from rlft.worldmodels.physics import FIRST, Physics
from rlft.worldmodels.protocol import Paths, drawn
from tests.worldmodels.seen import buffer


@pytest.mark.parametrize("world", [SwingUp(), CartSwingUp()])
def test_without_a_residual_it_is_the_nominal_mechanics_to_the_bit(world):
    model, state = Physics(world, world, [8], seed=1), world.reset(torch.arange(6))
    action = torch.linspace(-20, 20, 6, dtype=torch.float64)[:, None]
    step = model.step(state, action)
    assert torch.equal(step.state, integrated(world, state, action))
    true = world.step(state, action, 0, torch.arange(6))
    assert torch.equal(step.reward, true.reward) and torch.equal(step.terminated, true.terminated)
    noise = torch.ones(6, model.noise_size)
    assert_close(model.step(state, action, noise).state - step.state, torch.full_like(state, 0.5 * FIRST).exp())


def test_the_loss_by_hand():
    """One step at rest upright: the mean stays. Off by (0.1, 0.2), log-variance FIRST: half of
    mean((0.01, 0.04)) / exp(FIRST) + FIRST. A second step that is not valid counts for nothing."""
    world = SwingUp()
    model = Physics(world, world, [8], seed=1).double()
    after = world.observe(torch.tensor([[0.1, 0.2]], dtype=torch.float64))
    start = world.observe(torch.zeros(1, 2, dtype=torch.float64))
    nothing = torch.zeros(1, 2, dtype=torch.float64)
    seen = torch.stack([start, after, 7 * after], dim=1)
    on = torch.tensor([[True, False]])
    loss, notes = model.loss(Paths(seen, nothing[..., None], nothing, on & ~on, on))
    expected = 0.5 * (0.025 / torch.tensor(FIRST).double().exp() + FIRST)
    assert_close(loss.detach(), expected)
    assert float(notes["model/rms"]) == pytest.approx(0.025**0.5)


def test_it_finds_a_friction_that_it_is_not_told():
    """True friction 0.5: the force that it adds is -0.5 θ̇, to a tenth of its size."""
    known = SwingUp(torque=4.0)
    world = SwingUp(torque=4.0, friction=0.5, known=known)
    model, held = Physics(world, world.nominal, [32], seed=0), buffer(world, 10)
    generator = torch.Generator().manual_seed(0)
    model.standardise(drawn([held], 500, 1, generator))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, fused=True)
    for _ in range(400):
        loss, _ = model.loss(drawn([held], 128, 2, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seen = held.columns["observation"]
    force, _ = model.external(seen, held.action.stretch(held.columns["action"]))
    true = -0.5 * seen[:, 2:]
    off = (force.detach() - true).square().mean().sqrt() / true.square().mean().sqrt()
    assert float(off) < 0.1
