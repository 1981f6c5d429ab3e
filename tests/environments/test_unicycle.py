"""Straight lines and circles in closed form, and a car that comes to stand."""

import math

import torch
from torch.testing import assert_close

from rlft.environments.unicycle import along, driven


def t(values):
    return torch.tensor(values, dtype=torch.float64)


def test_a_straight_line():
    """From 6 m/s at -2 m/s²: 2.75 m in the first half second, half a metre less in each after."""
    way = driven(t([6.0]), t([[-2.0] * 4]), t([[0.0] * 4]), 0.5)
    assert_close(way.speed, t([[6.0, 5, 4, 3, 2]]))
    assert_close(way.position, t([[[0.0, 0], [2.75, 0], [5, 0], [6.75, 0], [8, 0]]]))
    assert (way.heading == 0).all()


def test_it_stands_and_does_not_go_backwards():
    """v²/2|a| = 1/8 m, within the step; standing it stays, until it speeds up."""
    way = driven(t([1.0]), t([[-4.0, -4.0, 0.0, 2.0]]), t([[0.3, 0.3, 0.3, 0.0]]), 0.5)
    assert_close(way.speed, t([[1.0, 0, 0, 0, 1]]))
    assert_close(way.heading, t([[0, 0.0375, 0.0375, 0.0375, 0.0375]]))
    ways = way.position.diff(dim=1).norm(dim=-1)
    assert_close(ways[0, 1:], t([0.0, 0, 0.25]))
    assert_close(ways[0, 0], t(0.125 * math.sin(0.01875) / 0.01875))


def test_a_circle():
    """Curvature 1/10 at 5 m/s: a circle of radius 10 around (0, 10), closed after 4 pi seconds, whatever the steps."""
    for steps in (3, 7):
        way = driven(t([5.0]), t([[0.0] * steps]), t([[0.1] * steps]), 4 * math.pi / steps)
        assert_close((way.position - t([0.0, 10])).norm(dim=-1), t([[10.0] * (steps + 1)]))
        assert_close(way.position[0, -1], t([0.0, 0]), atol=1e-12, rtol=0)
        assert_close(way.heading[0, -1], t(2 * math.pi))
    quarter = driven(t([5.0]), t([[0.0]]), t([[-0.1]]), math.pi)
    assert_close(quarter.position[0, 1], t([10.0, -10]))
    # braked on the way it is the same circle, as far as it comes: 8 m of it
    braked = driven(t([6.0]), t([[-2.0] * 4]), t([[0.1] * 4]), 0.5)
    assert_close(braked.position[0, -1], t([10 * math.sin(0.8), 10 * (1 - math.cos(0.8))]))


def test_along_a_lane():
    points = along(t([8.0, 8.0, 8.0]), t([0.0, 0.1, -0.1]))
    x, y = 10 * math.sin(0.8), 10 * (1 - math.cos(0.8))
    assert_close(points, t([[8.0, 0], [x, y], [x, -y]]))
