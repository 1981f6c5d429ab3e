"""Discrete versions: the compass by hand, and a Menu is its inner environment in all else."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.menu import Menu, compass
from rlft.environments.pendulum import Pendulum
from rlft.environments.point_mass import PointMass
from rlft.types import UserError


def test_compass():
    assert_close(compass(5), ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)))
    diagonal = math.sqrt(0.5)
    assert_close(compass(9)[2], (diagonal, diagonal))
    assert_close(compass(9)[6], (-diagonal, -diagonal))


def test_a_menu_is_its_inner_environment():
    inner = PointMass(gust=0.4)
    world = Menu(inner, compass(5))
    keys = torch.arange(40, 46)
    state = world.reset(keys)
    picked = torch.tensor([[0], [1], [2], [3], [4], [2]])
    forces = torch.tensor([(0.0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (0, 1)]).double()
    for ours, theirs in zip(world.step(state, picked, 2, keys), inner.step(state, forces, 2, keys), strict=True):
        assert_close(ours.double(), theirs.double(), atol=1e-15, rtol=0)
    assert (world.name, world.action.n, world.action.size, world.horizon) == ("point-mass-5", 5, 1, 40)
    assert_close(world.effort(picked), torch.tensor([0.0, 1, 1, 1, 1, 1]).double())
    assert torch.equal(world.distance(state), inner.distance(state))
    assert world.tolerance == inner.tolerance


def test_what_cannot_be_a_menu_is_refused():
    with pytest.raises(UserError, match="1 numbers"):
        Menu(Pendulum(), compass(5))
    with pytest.raises(UserError, match="continuous"):
        Menu(Menu(PointMass(), compass(5)), compass(5))
    with pytest.raises(UserError, match="at least 2"):
        compass(1)
