"""Equations of motion against closed forms: accelerations, energy, periods, and what is known of a world."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.mechanics import Mechanics, Nominal, Scored, accelerated, difference, integrated
from rlft.environments.swinging import CartSwingUp, SwingUp


def floats(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_accelerations_of_one_two_and_three_coordinates():
    assert accelerated(floats([[4.0]]), floats([2.0])).tolist() == [[0.5]]
    generator = torch.Generator().manual_seed(0)
    for d in (2, 3):
        half = torch.randn(5, d, d, generator=generator, dtype=torch.float64)
        mass, forces = half @ half.mT + torch.eye(d), torch.randn(5, d, generator=generator, dtype=torch.float64)
        assert_close((mass @ accelerated(mass, forces)[..., None])[..., 0], forces)


def test_one_step_by_hand():
    """m l² = 0.5, gravity's torque 0.5 · 10 · 1 · sin(π/2) = 5: q̈ = (2 - 0.3 · 1 + 5) / 0.5 = 13.4."""
    world = SwingUp(mass=0.5, friction=0.3, dt=0.1, parts=1, torque=3.0)
    new = integrated(world, floats([math.pi / 2, 1.0]), floats([2.0]))
    assert_close(new, floats([math.pi / 2 + 0.234, 2.34]))
    pushed = integrated(world, floats([math.pi / 2, 1.0]), floats([2.0]), floats([0.25]))
    assert_close(pushed[0, 1], torch.tensor(2.39, dtype=torch.float64))
    assert_close(
        integrated(world, floats([0.0, 0.0]), floats([9.0])), integrated(world, floats([0.0, 0.0]), floats([3.0]))
    )


def test_the_carts_mass_matrix_and_bias_by_hand():
    """cos θ = 0.6, sin θ = 0.8, θ̇ = 2: m l cos = 0.3, m l² = 0.25, m l sin θ̇² = 1.6, m g l sin = 4."""
    world = CartSwingUp(cart=1.0, mass=1.0, length=0.5, friction=0.1, rolling=0.2)
    q, v = floats([0.3, math.atan2(0.8, 0.6)]), floats([1.0, 2.0])
    assert_close(world.inertia(q), floats([[2.0, 0.3], [0.3, 0.25]])[None][0])
    assert_close(world.bias(q, v), floats([0.2 - 1.6, 0.2 - 4.0]))
    assert world.forces(q, v, floats([3.0])).tolist() == [[3.0, 0.0]]


def swung(world, seconds):
    """Energies over so many seconds without a force, in units of m g l."""
    state, nothing, energies = world.reset(torch.arange(4)) + 0.3, torch.zeros(4, 1, dtype=torch.float64), []
    for _ in range(round(seconds / world.dt)):
        state = integrated(world, state, nothing)
        energies.append(world.energy(state) / (world.mass * world.g * world.length))
    return torch.stack(energies)


def test_the_energy_of_a_pendulum_swings_and_does_not_drift():
    """The mean over the first two seconds is that over the last two, of ten; friction takes it away."""
    found = swung(SwingUp(dt=0.01, parts=1), 10)
    assert float((found[:200].mean(0) - found[-200:].mean(0)).abs().max()) < 4e-3
    assert float((found.amax(0) - found.amin(0)).max()) < 0.08
    rubbed = swung(SwingUp(dt=0.01, parts=1, friction=0.2), 2)
    assert bool((rubbed[-1] < rubbed[0]).all())


def test_the_error_of_a_carts_energy_is_of_first_order():
    """Its mass matrix changes on the way, so energy is not kept; half the step, or two parts, halve the error."""
    spans = [swung(CartSwingUp(dt=dt, parts=1), 2) for dt in (0.02, 0.01)]
    coarse, fine = (float((found - found[0]).abs().amax()) for found in spans)
    assert 0.4 < fine / coarse < 0.6
    twice = swung(CartSwingUp(dt=0.02, parts=2), 2)
    assert_close(twice, spans[1][1::2])


def test_the_period_of_small_swings():
    """2π √(l / g), to the second order of the step."""
    world = SwingUp(length=0.8, dt=0.001, parts=1)
    state, nothing, signs = floats([math.pi + 0.02, 0.0]), floats([0.0]), []
    for _ in range(4000):
        state = integrated(world, state, nothing)
        signs.append(float(state[0, 1]) > 0)
    turns = [step for step in range(1, 4000) if signs[step] and not signs[step - 1]]
    assert (turns[1] - turns[0]) * 0.001 == pytest.approx(2 * math.pi * math.sqrt(0.08), rel=1e-3)


def test_angles_differ_the_short_way_round():
    off = difference(CartSwingUp(), floats([5.0, 3.0, 1.0, 4.0]), floats([1.0, -3.0, 0.5, -4.0]))
    assert_close(off, floats([4.0, 6.0 - 2 * math.pi, 0.5, 8.0]))


def test_what_is_known_need_not_be_true():
    plain = SwingUp()
    heavy = SwingUp(mass=2.0, known=plain)
    assert heavy.nominal is plain and plain.nominal is plain
    for world in (plain, CartSwingUp()):
        assert isinstance(world, Nominal) and isinstance(world, Scored) and isinstance(world, Mechanics)
