"""UniPC by hand and on an ODE whose solution is known."""

import math

import pytest
import torch

from rlft.models.schedules import RectifiedFlow
from rlft.policies.stepwise.solvers import Past, UniPC, _fitted


def run(steps, clean):
    """From 1 at t = 0.9 to t = 0, the network predicting `clean(x, t)`."""
    times = torch.cat([torch.linspace(0.9, 0.05, steps, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])
    solver, past = UniPC(RectifiedFlow(), times), None
    x = torch.ones(1, 1, dtype=torch.float64)
    for k in range(steps - 1):
        x, past = solver.step(k, x, clean(x, float(times[k])), past)
    return float(x), float(times[-2])


def test_the_first_step_by_hand():
    """From t = 0.8 to 0.5 with a predicted sample of 2: σ_t/σ_s x - α_t (e^-h - 1) 2, λ from log(0.25) to 0."""
    solver = UniPC(RectifiedFlow(), torch.tensor([0.8, 0.5, 0.2, 0.0], dtype=torch.float64))
    x, m = torch.tensor([[3.0]], dtype=torch.float64), torch.tensor([[2.0]], dtype=torch.float64)
    ahead, past = solver.step(0, x, m, None)
    assert float(ahead) == pytest.approx(0.5 / 0.8 * 3 - 0.5 * (0.25 - 1) * 2, abs=1e-12)
    assert isinstance(past, Past) and torch.equal(past.x, x) and len(past.clean) == 1


def test_the_second_step_by_hand():
    """At t = 0.5 the network says 4: what was stepped to is put right by half of the difference, then order 2."""
    solver = UniPC(RectifiedFlow(), torch.tensor([0.8, 0.5, 0.2, 0.0], dtype=torch.float64))
    x, m, other = (torch.tensor([[value]], dtype=torch.float64) for value in (3.0, 2.0, 4.0))
    ahead, past = solver.step(0, x, m, None)
    after, behind = solver.step(1, ahead, other, past)
    right = 0.5 / 0.8 * 3 - 0.5 * (0.25 - 1) * (2 + 0.5 * (4 - 2))
    assert float(behind.x) == pytest.approx(right, abs=1e-12)
    h = math.log(4)  # λ from 0 to log 4, and before from -log 4: r = -1
    grown = math.exp(-h) - 1
    expected = 0.2 / 0.5 * right - 0.8 * grown * (4 + 0.5 * (2 - 4) / -1)
    assert float(after) == pytest.approx(expected, abs=1e-12)
    last, _ = solver.step(2, after, other, behind)
    assert float(last) == 4.0  # the last step ends in what is predicted


def test_what_fits_the_integral():
    """ρ_1 + ρ_2 = b_1 and r ρ_1 + ρ_2 = b_2, for h = 1 and r = -1: (-φ - 1)/φ and 2 (φ + 1/2)/φ with φ = e^-1 - 1."""
    first, second = _fitted(-1.0, 1.0)
    grown = math.exp(-1) - 1
    b1, b2 = ((-grown - 1) / grown, 2 * ((grown + 1) - 0.5) / grown)
    assert (first + second, second - first) == pytest.approx((b1, b2), abs=1e-12)


def test_its_error_falls_with_the_third_power():
    """Of dx/dt for samples that are predicted as cos(x): twice as many steps leave an eighth of the error, or less."""

    def clean(x, t):
        return torch.cos(x)

    finest, _ = run(2049, clean)
    errors = [abs(run(steps, clean)[0] - finest) for steps in (17, 33, 65)]
    assert errors[0] / errors[1] > 5 and errors[1] / errors[2] > 5
