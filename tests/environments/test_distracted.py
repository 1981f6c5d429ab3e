"""A point to be kept in the middle, and worlds seen with distraction: by hand, and rows on their own."""

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.distracted import Centring, Distracted
from rlft.environments.play import play
from rlft.types import UserError


def test_a_step_by_hand():
    state = torch.tensor([[0.5, -0.2, 1.0, 0.0], [0.99, 0.0, 1.0, 0.0]], dtype=torch.float64)
    step = Centring().step(state, torch.tensor([[0.5, -2.0], [1.0, 0.0]], dtype=torch.float64), 0, torch.arange(2))
    # v' = 0.9 v + 0.4 a with a clipped to ±1; p' = p + 0.1 v'; the border stops the second
    there = torch.tensor([[0.61, -0.24, 1.1, -0.4], [1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert_close(step.state, there)
    assert_close(
        step.reward, torch.stack([1 - 2 * (0.61**2 + 0.24**2) ** 0.5 * torch.ones(()), torch.tensor(-1.0)]).double()
    )
    assert not step.terminated.any() and not step.truncated.any()
    assert Centring(horizon=3).step(state, torch.zeros(2, 2).double(), 2, torch.arange(2)).truncated.all()


def test_a_good_controller_is_good():
    world, keys = Centring(), torch.arange(256)
    good = play(world, keys, keys, lambda seen, rows, t: world.controlled(seen)[:, None]).rewards.sum(dim=1).mean()
    still = play(world, keys, keys, lambda seen, rows, t: torch.zeros(len(seen), 1, 2).double()).rewards.sum(dim=1)
    assert good > 22 and abs(still.mean() - 30 * (1 - 2 * 0.765)) < 2.5


def test_what_is_seen_can_be_taken_apart():
    world = Distracted(Centring(), 5, 2, amplitude=0.7, look=3)
    state = world.reset(torch.arange(4))
    assert state.shape == (4, 6) and world.observation_size == 9
    seen = world.observe(state)
    assert_close(seen.norm(dim=1), torch.cat([state[:, :4], 0.7 * state[:, 4:] @ world.mixing.T], dim=1).norm(dim=1))
    point, around = world.apart(seen)
    assert_close(point, state[:, :4])
    assert_close(around, 0.7 * state[:, 4:] @ world.mixing.T)
    assert_close(world.mixing.norm(dim=1), torch.ones(5).double())
    clean = Distracted(Centring(), 5, 2, amplitude=0.0, look=3)
    assert_close(clean.apart(clean.observe(state))[1], torch.zeros(4, 5).double())
    assert not torch.equal(Distracted(Centring(), 5, 2, look=4).observe(state), seen)


def test_distraction_is_a_stationary_series_of_each_row():
    world, keys = Distracted(Centring(horizon=400), 3, 1, rho=0.9), torch.arange(200)
    state, kept = world.reset(keys), []
    for t in range(60):
        state = world.step(state, torch.zeros(200, 2).double(), t, keys).state
        kept.append(state[:, 4:])
    series = torch.stack(kept)
    assert abs(series.var() - 1) < 0.1
    assert abs((series[1:] * series[:-1]).mean() / series.var() - 0.9) < 0.02
    alone = world.reset(keys[7:8])
    for t in range(60):
        alone = world.step(alone, torch.zeros(1, 2).double(), t, keys[7:8]).state
    assert torch.equal(alone[0], state[7])


@pytest.mark.parametrize("wrong", [{"distractors": 0}, {"sources": 0}, {"rho": 1.0}, {"amplitude": -1.0}])
def test_what_cannot_be(wrong):
    with pytest.raises(UserError):
        Distracted(Centring(), **wrong)
    with pytest.raises(UserError, match="horizon"):
        Centring(horizon=0)
