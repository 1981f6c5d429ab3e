"""Distances, comfort and meta-actions by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.metrics.driving import ade, clearance, comfort, meta_actions


def t(values):
    return torch.tensor(values, dtype=torch.float64)


def test_ade():
    assert_close(ade(t([[[0.0, 0], [3, 4]]]), t([[[0.0, 1], [0, 0]]])), t([3.0]))


def test_clearance_is_to_the_lines_between():
    way = t([[[0.0, 0], [4, 0], [4, 3]]] * 3)
    nan = math.nan
    points = t([[[2.0, 1.5], [9, 9]], [[7, 7], [nan, nan]], [[nan, nan], [nan, nan]]])
    assert_close(clearance(way, points), t([1.5, 5.0, math.inf]))
    assert clearance(way, points[:, :0]).tolist() == [math.inf] * 3
    # a car that stands has no line, but a place
    assert_close(clearance(t([[[1.0, 0], [1, 0]]]), t([[[4.0, 4]]])), t([5.0]))


# Of each bound a way that breaks it and no other: speeds, headings, seconds of a step.
BREAKS = {
    "accel": ([0, 2.5, 5.0], [0, 0, 0], 1.0),
    "lateral": ([10.0] * 3, [0, 0.5, 1.0], 1.0),
    "jerk": ([10.0] * 3, [0, 0, 0.225], 0.5),
    "longitudinal_jerk": ([10, 10, 8.75], [0, 0, 0], 0.5),
    "yaw_accel": ([1.0] * 3, [0, 0, 0.225], 0.25),
    "yaw_rate": ([1.0] * 3, [0, 1.0, 2.0], 1.0),
}


@pytest.mark.parametrize("name", BREAKS)
def test_comfort_has_six_bounds(name):
    speed, heading, seconds = BREAKS[name]
    found = comfort(t([speed]), t([heading]), seconds)
    assert {key for key, value in found._asdict().items() if value.item() == 0} == {name}
    assert_close(found.score, t([5 / 6]))


def test_comfort_has_both_ends_of_acceleration():
    assert comfort(t([[9, 4.9]]), t([[0.0, 0]]), 1.0).accel.item() == 0
    assert comfort(t([[9, 5.0]]), t([[0.0, 0]]), 1.0).score.item() == 1


@pytest.mark.parametrize(
    ("first", "last", "turned", "done"),
    [
        (8, 0.4, 0.0, ("stop", "straight")),
        (8, 5.9, 0.2, ("slow", "left")),
        (8, 6.1, -0.2, ("keep", "right")),
        (8, 8.9, 0.15, ("keep", "straight")),
        (8, 9.1, -0.15, ("speed up", "straight")),
        (0.2, 0.3, 0.0, ("stop", "straight")),
    ],
)
def test_meta_actions(first, last, turned, done):
    assert meta_actions(t([[first, 3.0, last]]), t([[0.1, 9.0, 0.1 + turned]])) == [done]
