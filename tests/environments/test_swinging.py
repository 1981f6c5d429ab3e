"""Swinging up: what is seen and paid, where it starts and ends."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.swinging import CartSwingUp, SwingUp
from rlft.types import UserError


@pytest.mark.parametrize("world", [SwingUp(), CartSwingUp()])
def test_a_state_is_found_again_in_what_is_seen(world):
    state = world.reset(torch.arange(50))
    wrapped = world.coordinates(world.observe(state))
    assert_close(world.observe(wrapped), world.observe(state))
    assert bool((wrapped[:, len(world.angles) - 1].abs() <= math.pi).all())
    assert torch.equal(world.reset(torch.tensor([17]))[0], state[17])
    assert float(world.distance(world.observe(state)).min()) > math.pi - 0.5


def test_what_is_paid():
    """Upright and at rest 1; level and at 8 rad/s 1/2 · 1/e; a cart at the end of its track half."""
    pole, cart, nothing = SwingUp(), CartSwingUp(track=2.0), torch.zeros(2, 1)
    seen = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 8.0]])
    assert_close(pole.reward(seen, nothing, seen), torch.tensor([1.0, 0.5 / math.e]))
    seen = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0], [2.0, 1.0, 0.0, 3.0, 0.0]])
    assert_close(cart.reward(seen, nothing, seen), torch.tensor([1.0, 0.5]))


def test_where_it_ends():
    cart, keys = CartSwingUp(track=1.0, horizon=9), torch.arange(2)
    state = torch.tensor([[0.9, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    step = cart.step(state, torch.zeros(2, 1).double(), 8, keys)
    assert step.terminated.tolist() == [True, False] and step.truncated.tolist() == [False, True]
    pole = SwingUp(horizon=4)
    ends = [pole.step(state[:, :2], torch.zeros(2, 1).double(), at, keys) for at in (2, 3)]
    assert [end.truncated.tolist() for end in ends] == [[False, False], [True, True]]
    assert not any(end.terminated.any() for end in ends)


def test_impossible_worlds():
    for wrong in (lambda: SwingUp(mass=0.0), lambda: CartSwingUp(track=-1.0)):
        with pytest.raises(UserError, match="positive"):
            wrong()
    with pytest.raises(UserError, match="friction takes energy away"):
        SwingUp(friction=-0.1)
