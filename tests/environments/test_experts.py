"""The scripted players reach their goals, and demonstrations are reproducible."""

import pytest
import torch

from rlft.environments.experts import demonstrations, expert
from rlft.environments.menu import Menu, compass
from rlft.environments.pendulum import Pendulum
from rlft.environments.point_mass import PointMass
from rlft.types import UserError

POINTS = [
    PointMass(),
    PointMass(shaping=0.0, gaps=((-0.6, -0.4), (0.4, 0.6))),
    Menu(PointMass(), compass(5)),
    Menu(PointMass(), compass(9)),
]


@pytest.mark.parametrize("world", POINTS, ids=str)
def test_point_mass_is_solved(world):
    episodes = demonstrations(world, 100, seed=1)
    assert all(episode.terminated for episode in episodes)
    still = demonstrations(world, 100, seed=1, clumsy=3.0)
    assert sum(episode.terminated for episode in still) < 90


def test_pendulum_is_solved():
    world = Pendulum()
    for clumsy, least in ((0.0, -200), (0.2, -220)):
        episodes = demonstrations(world, 60, seed=1, clumsy=clumsy)
        last = torch.stack([world.distance(episode.observations[-30:]).max() for episode in episodes])
        assert (last < world.tolerance).double().mean() > 0.9
        assert torch.stack([episode.rewards.sum() for episode in episodes]).mean() > least


def test_demonstrations_keep_off_the_bounds_and_follow_their_seed():
    world = PointMass()
    one, again, other = (demonstrations(world, 5, seed=s, clumsy=0.5) for s in (1, 1, 2))
    actions = torch.cat([episode.actions for episode in one])
    assert actions.abs().max() == 0.95
    assert all(torch.equal(a.actions, b.actions) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0].observations[0], other[0].observations[0])


def test_clumsy_share_of_random_choices():
    world = Menu(PointMass(), compass(9))
    player = expert(world)
    episodes = demonstrations(world, 300, seed=0, clumsy=0.4)
    seen = torch.cat([episode.observations[:-1] for episode in episodes])
    done = torch.cat([episode.actions for episode in episodes])
    # a random choice is the expert's own one time in nine
    wrong = (done != player(seen)).double().mean()
    assert abs(wrong - 0.4 * 8 / 9) < 4 * (0.4 * 0.6 / len(seen)) ** 0.5
    assert set(done.flatten().tolist()) == set(range(9))


def test_a_world_without_an_expert():
    with pytest.raises(UserError, match="no scripted expert"):
        expert(object())
