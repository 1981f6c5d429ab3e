"""Around the environments: starts as problems, the reward they paid, and what it cannot see."""

import math

import pytest
import torch

from rlft.environments.menu import Menu, compass
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Episode
from rlft.measure.control import control
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.types import Problem, UserError


def episode(points, actions, rewards, chunk=1):
    seen = torch.tensor([[*point, 0.0, 0.0] for point in points]).double()
    return Episode(seen, torch.tensor(actions), torch.tensor(rewards).double(), False, True, chunk)


def test_starts():
    task = Starts(PointMass(), split="test", size=5)
    problem = task.at(3)
    assert (problem.index, problem.task, problem.split) == (3, "point-mass", "test")
    assert problem == Starts("point-mass", "test").at(3)
    others = [Starts("point-mass").at(3), task.at(4), Starts("pendulum", "test").at(3)]
    assert len({p.input for p in [problem, *others]}) == 4
    train, test = ({Starts("a", split).at(i).input for i in range(500)} for split in ("train", "test"))
    assert len(train | test) == 1000
    for index in (-1, 5):
        with pytest.raises(UserError, match="no start"):
            task.at(index)
    with pytest.raises(UserError, match="at least 1"):
        Starts("point-mass", size=0)


def test_rewards_are_summed_over_a_chunk_and_stay_ragged():
    one = episode([(0, 0)] * 6, [[0.0, 0.0]] * 5, [1, 2, 4, 8, 16])
    two = episode([(0, 0)] * 6, [[0.0, 0.0]] * 5, [1, 2, 4, 8, 16], chunk=2)
    paid = environment_reward([Problem(0, 1), Problem(0, 1)], [one, two])
    assert [row.tolist() for row in paid] == [[1, 2, 4, 8, 16], [3, 12, 16]]


def test_what_the_reward_cannot_see():
    # the goal is at (.7, .5), within .15 is success
    there = episode([(0.3, 0.1), (0.3, 0.4), (0.7, 0.4)], [[0.6, 0.0], [3.0, -0.5]], [-7, -7])
    short = episode([(0.7, 0.1), (0.7, 0.3)], [[0.0, 0.2]], [99])
    seen = control(PointMass())([Problem(0, 1), Problem(0, 1)], [there, short])
    assert seen == pytest.approx(
        {
            "success": 0.5,
            "final_distance": (0.1 + 0.2) / 2,
            "path_length": (0.3 + 0.4 + 0.2) / 2,
            "effort": (0.36 + 1.25 + 0.04) / 3,
            "steps": 1.5,
        }
    )


def test_effort_of_discrete_actions_is_that_of_their_forces():
    world = Menu(PointMass(), ((0.0, 0.0), (0.3, 0.4), *compass(5)[1:]))
    seen = control(world)([Problem(0, 1)], [episode([(0, 0)] * 4, [[0], [1], [2]], [0, 0, 0])])
    assert seen["effort"] == pytest.approx((0 + 0.25 + 1) / 3)
    assert seen["final_distance"] == pytest.approx(math.hypot(0.7, 0.5))
