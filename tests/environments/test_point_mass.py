"""PointMass: the equations by hand, the wall, and the shaping that telescopes."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.play import play
from rlft.environments.point_mass import PointMass
from rlft.types import UserError

TWO_GAPS = ((-0.7, -0.4), (0.5, 0.6))


def t(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def step(world, state, action, at=3, keys=(11,)):
    return world.step(t(state), t(action), at, torch.tensor(keys))


def test_one_step_by_hand():
    out = step(PointMass(shaping=0.7), (-0.5, 0.3, 0.2, -0.4), (0.5, -2.0))
    # force (1, -2): the second action is clipped. v' = .9 v + .1 force; p' = p + .1 v'
    assert_close(out.state, t((-0.472, 0.244, 0.28, -0.56)), atol=1e-12, rtol=0)
    # the straight way to the goal (.7, .5) would pass the wall at y = .383 and .347, above the gap: round (0, .2)
    before = math.hypot(0.5, 0.1) + math.hypot(0.7, 0.3)
    after = math.hypot(0.472, 0.044) + math.hypot(0.7, 0.3)
    assert_close(out.reward, t(0.7 * (before - after)), atol=1e-12, rtol=0)
    assert not out.terminated
    assert not out.truncated


@pytest.mark.parametrize(
    ("start", "passes"),
    [
        ((-0.05, 0.6, 2.0, -1.0), False),
        ((0.05, 0.6, -2.0, -1.0), False),
        ((-0.05, 0.19, 2.0, 0.0), True),
        ((0.05, 0.0, -2.0, 1.0), True),
        ((-0.05, 0.19, 2.0, 2.0), False),  # meets the wall's plane at y = .24, just above the gap
    ],
)
def test_the_wall_stops_what_does_not_meet_the_gap(start, passes):
    state = step(PointMass(), start, (0.0, 0.0)).state[0]
    assert (state[0].sign() != math.copysign(1, start[0])) == passes
    assert_close(state[1], torch.tensor(start[1] + 0.09 * start[3], dtype=torch.float64))  # it slides along
    if not passes:
        assert state[0] == start[0]
        assert state[2] == 0


def test_nobody_walks_through_the_wall():
    world = PointMass(gaps=TWO_GAPS, gust=3.0, horizon=60)
    keys = torch.arange(3000)
    east = torch.tensor([[[1.0, 0.0]]], dtype=torch.float64)
    played = play(world, keys, keys + 10**6, lambda seen, rows, decision: east.expand(len(rows), 1, 2))
    for episode in played.episodes():
        path = episode.observations[:, :2]
        for (x0, y0), (x1, y1) in zip(path[:-1].tolist(), path[1:].tolist(), strict=True):
            if (x0 < 0) != (x1 < 0):
                y = y0 + (y1 - y0) * x0 / (x0 - x1)
                assert any(low < y < high for low, high in TWO_GAPS)
    ends = torch.stack([episode.observations[-1, 0] for episode in played.episodes()])
    assert 0.1 < (ends > 0).double().mean() < 0.9


def test_the_border_stops_too():
    state = step(PointMass(), (0.95, -0.99, 1.5, -2.0), (0.0, 0.0)).state
    assert_close(state, t((1.0, -1.0, 0.0, 0.0)))


def test_to_go_is_the_shortest_way():
    world = PointMass(gaps=TWO_GAPS)
    generator = torch.Generator().manual_seed(0)
    position = torch.rand(50, 2, generator=generator, dtype=torch.float64) * 2 - 1
    heights = torch.cat([torch.linspace(low, high, 3001, dtype=torch.float64) for low, high in TWO_GAPS])
    way = torch.stack([torch.zeros_like(heights), heights], dim=1)
    around = (position[:, None] - way).norm(dim=-1) + (way - t(world.goal)).norm(dim=-1)
    left = position[:, 0] < 0
    expected = torch.where(left, around.amin(dim=1), (position - t(world.goal)).norm(dim=-1))
    assert 15 < left.sum() < 35
    # the grid of heights is 1e-4 wide, and a path's length is flat to second order at its best height
    assert_close(world.to_go(position), expected, atol=1e-7, rtol=0)


def test_dense_rewards_telescope():
    world = PointMass(shaping=0.3, gust=2.0)
    keys = torch.arange(200)
    north_east = torch.tensor([[[0.8, 0.3]]], dtype=torch.float64)
    episodes = play(world, keys, keys, lambda seen, rows, d: north_east.expand(len(rows), 1, 2)).episodes()
    reached = [episode for episode in episodes if episode.terminated]
    assert 20 < len(reached) < 180
    for episode in episodes:
        first, last = world.to_go(episode.observations[[0, -1], :2])
        assert_close(episode.rewards.sum(), 0.3 * (first - last) + float(episode.terminated), atol=1e-12, rtol=0)
        assert episode.terminated != episode.truncated
        assert len(episode) == 40 or episode.terminated


def test_the_goal_pays_one_and_wins_over_the_clock():
    world = PointMass(shaping=0.0, horizon=7)
    for at, truncated in ((5, False), (6, True)):
        near, far = (step(world, state, (0.0, 0.0), at) for state in ((0.6, 0.4, 0, 0), (0.5, 0.4, 0, 0)))
        assert (near.reward.item(), near.terminated.item(), near.truncated.item()) == (1, True, False)
        assert (far.reward.item(), far.terminated.item(), far.truncated.item()) == (0, False, truncated)


def test_starts_belong_to_their_keys():
    world = PointMass()
    state = world.reset(torch.tensor([5, 9, 5, *range(100, 400)]))
    assert torch.equal(state[0], state[2])
    assert not torch.equal(state[0], state[1])
    low, high = state.amin(dim=0), state.amax(dim=0)
    assert -0.9 < low[0] < -0.88
    assert -0.52 < high[0] < -0.5
    assert -0.8 < low[1] < -0.76
    assert 0.76 < high[1] < 0.8
    assert not state[:, 2:].any()
    assert abs(torch.corrcoef(state[:, :2].T)[0, 1]) < 4 / math.sqrt(300)


def test_gusts_belong_to_row_and_step():
    keys = torch.arange(4000)
    state, still = torch.zeros(4000, 4).double() - 0.5, torch.zeros(4000, 2).double()
    pushed = [PointMass(gust=0.5).step(state, still, at, keys).state[:, 2:] + 0.45 for at in (0, 1)]
    assert_close(pushed[0].std(dim=0), torch.full((2,), 0.05).double(), rtol=4 / math.sqrt(8000), atol=0)
    assert abs(torch.corrcoef(torch.cat(pushed, dim=1).T).triu(1)).max() < 4 / math.sqrt(4000)
    assert torch.equal(PointMass(gust=0.5).step(state[:2], still[:2], 1, keys[7:9]).state[:, 2:] + 0.45, pushed[1][7:9])
    assert not (PointMass().step(state, still, 0, keys).state[:, 2:] + 0.45).any()


@pytest.mark.parametrize("bad", [{"gaps": ()}, {"gaps": ((0.3, 0.1),)}, {"gust": -1.0}, {"horizon": 0}])
def test_impossible_worlds_are_refused(bad):
    with pytest.raises(UserError, match=r"must be|at least one"):
        PointMass(**bad)
