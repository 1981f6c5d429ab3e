"""Rooms: moves, doors and sight worked out by hand on a map of two rooms, the searcher's teacher, behaviours."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.play import play
from rlft.environments.protocol import Environment, Episode
from rlft.policies.control.policy import Control
from rlft.tasks.starts import Starts
from rlft.types import UserError
from rlft.worlds.rooms import Rooms, demonstrations, reached

EAST, SOUTH, WEST, NORTH = range(4)
KEYS = torch.arange(200)

# One above the other: the door of the wall y = 2 is at x = 1.
#     . .      room 0, its start at (0, 0)
#     . .
#     # D
#     . .      room 1
#     . G      the goal at (1, 4)
TWO = Rooms(down=2, across=1, size=2, horizon=10)
START = torch.tensor([[0.0, 0, 0, 0, 1, 4, 0, 0, 1, 0]], dtype=torch.float64)


def walk(world, state, actions):
    for t, action in enumerate(actions):
        step = world.step(state, torch.tensor([[action]]), t, KEYS[:1])
        state = step.state
    return step


def test_moves_by_hand():
    assert isinstance(TWO, Environment)
    east = walk(TWO, START, [EAST])
    assert east.state[0, :4].tolist() == [1, 0, 1, 0]
    assert (east.reward, east.terminated, east.truncated) == (0, False, False)
    # the border, and the wall beside the door: the step is lost, and the last step was none
    for actions, cell in (([WEST], [0, 0]), ([NORTH], [0, 0]), ([EAST, EAST], [1, 0]), ([SOUTH, SOUTH], [0, 1])):
        blocked = walk(TWO, START, actions)
        assert blocked.state[0, :4].tolist() == [*cell, 0, 0]
    # through the door, whose own sides are walls
    door = walk(TWO, START, [EAST, SOUTH, SOUTH])
    assert door.state[0, :4].tolist() == [1, 2, 0, 1]
    assert walk(TWO, START, [EAST, SOUTH, SOUTH, WEST]).state[0, :2].tolist() == [1, 2]
    end = walk(TWO, START, [EAST, SOUTH, SOUTH, SOUTH, SOUTH])
    assert end.terminated and not end.truncated
    assert_close(float(end.reward), 1 - 0.9 * 5 / 10)
    late = walk(TWO, START, [WEST] * 10)
    assert late.truncated and not late.terminated


def test_what_is_seen_by_hand():
    seen = TWO.observe(START)[0]
    # top left of a map of 2 x 5; no step yet; blocked to the west and the north
    assert seen[:8].tolist() == [-1, -1, 0, 0, 0, 0, 1, 1]
    # one door, to the south, one right and two down from here, in rooms of two cells; the goal is not in this room
    assert seen[8:20].tolist() == [0, 0, 0, 1, 0.5, 1.0, 0, 0, 0, 0, 0, 0]
    assert seen[20:].tolist() == [0, 0, 0]
    door = TWO.observe(walk(TWO, START, [EAST, SOUTH, SOUTH]).state)[0]
    assert door[:8].tolist() == [1, 0, 0, 1, 1, 0, 1, 0]
    assert door[8:20].abs().sum() == 0
    assert door[20:].tolist() == [1, 0, 1]
    below = TWO.observe(walk(TWO, START, [EAST, SOUTH, SOUTH, SOUTH]).state)[0]
    # the door is now to the north, one up
    assert below[8:20].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, -0.5]
    assert below[20:].tolist() == [1, 0, 0.5]


def test_doors_to_the_east():
    """Two rooms side by side: the door of the wall x = 2 is at y = 1."""
    world = Rooms(down=1, across=2, size=2)
    state = torch.tensor([[1.0, 1, 0, 0, 3, 0, 1, 0, 0, 0]], dtype=torch.float64)
    assert world.observe(state)[0, 8:11].tolist() == [1, 0.5, 0]
    assert walk(world, state, [EAST, EAST]).state[0, :2].tolist() == [3, 1]
    assert walk(world, state, [NORTH, EAST]).state[0, :2].tolist() == [1, 0]
    assert walk(world, state, [EAST, EAST, NORTH]).terminated


def test_starts_and_goals():
    world = Rooms(starts=(4, 7))
    state = world.reset(KEYS)
    assert torch.equal(state[:9], world.reset(KEYS[:9]))
    rooms = state[:, :6].reshape(-1, 3, 2)[:, [0, 2]] // 4
    start, goal = (rooms[:, i, 1] * 3 + rooms[:, i, 0] for i in range(2))
    assert start.unique().tolist() == [4, 7]
    assert goal.unique().tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert (start != goal).all()
    assert world.free(state, state[:, :2]).all() and world.free(state, state[:, 4:6]).all()
    assert state[:, 6:].unique().tolist() == [0, 1, 2]
    anywhere = replace(world, starts=None).reset(KEYS)[:, :2] // 4
    assert len((anywhere[:, 1] * 3 + anywhere[:, 0]).unique()) == 9


@pytest.mark.parametrize("wrong", [{"down": 1, "across": 1}, {"size": 0}, {"starts": (9,)}, {"starts": ()}])
def test_rooms_that_cannot_be(wrong):
    with pytest.raises(UserError, match=r"starts are rooms from 0 to 8|rooms need two rooms"):
        Rooms(**wrong)


def test_the_teacher_takes_a_shortest_way():
    assert TWO.shortest(START).tolist() == [[EAST]]
    episodes = demonstrations(TWO, 20, seed=0)
    assert all(episode.terminated for episode in episodes)
    world = Rooms(horizon=60)
    state = world.reset(KEYS[:5])
    for row in state:
        assert steps_by_hand(world, row[None]) == steps_of(world, row[None])


def steps_of(world, state):
    for t in range(60):
        step = world.step(state, world.shortest(state), t, KEYS[:1])
        state = step.state
        if step.terminated:
            return t + 1
    raise AssertionError("the goal was not found")


def steps_by_hand(world, state):
    """Flood from the start, one cell at a time."""
    level, seen, steps = {tuple(state[0, :2].tolist())}, set(), 0
    goal = tuple(state[0, 4:6].tolist())
    while goal not in level:
        seen |= level
        beside = {(x + dx, y + dy) for x, y in level for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))}
        level = {cell for cell in beside - seen if world.free(state, state.new_tensor([cell]))}
        steps += 1
    return steps


def test_clumsy_demonstrations_are_longer_and_what_the_player_sees():
    world = Rooms()
    straight, clumsy = (demonstrations(world, 15, seed=1, clumsy=share) for share in (0.0, 0.4))
    assert sum(map(len, clumsy)) > 1.2 * sum(map(len, straight))
    assert straight[0].observations.shape == (len(straight[0]) + 1, world.observation_size)
    assert_close(straight[0].observations[0], clumsy[0].observations[0])
    again = demonstrations(world, 2, seed=1, clumsy=0.4)
    assert torch.equal(again[1].actions, clumsy[1].actions)


def episode(world, state, actions):
    states = [state]
    for t, action in enumerate(actions):
        states.append(world.step(states[-1], torch.tensor([[action]]), t, KEYS[:1]).state)
    seen = world.observe(torch.cat(states))
    return Episode(seen, torch.tensor(actions)[:, None], torch.zeros(len(actions)), False, True)


def test_visited_rooms():
    stays = episode(TWO, START, [EAST, SOUTH])
    peeps = episode(TWO, START, [EAST, SOUTH, SOUTH, NORTH])  # as far as the door
    crosses = episode(TWO, START, [EAST, SOUTH, SOUTH, SOUTH])
    below = START.clone()
    below[0, :2] = torch.tensor([1.0, 3.0])
    up = episode(TWO, below, [NORTH])  # as far as the door, from the other side
    assert TWO.visited([], [stays, peeps, crosses, up]).tolist() == [1, 1, 3, 2]
    # nine rooms: what was visited, whatever the order, and every room has its own bit
    world = Rooms()
    played = demonstrations(world, 40, seed=2)
    keys = world.visited([], played)
    assert len(keys.unique()) > 20
    for key, one in zip(keys.tolist(), played, strict=True):
        assert 2 <= key.bit_count() <= 9
        assert one.terminated


def test_reached_is_what_the_world_ended():
    out_of_time, there = episode(TWO, START, [EAST]), demonstrations(TWO, 1, seed=0)[0]
    assert reached([], [out_of_time, there]) == [0.0, 1.0]


def test_a_policy_plays_and_goes_on_from_the_middle():
    world = Rooms(horizon=12)
    policy = Control(world, seed=0)
    task = Starts(world)
    rows = policy.sample([task.at(0), task.at(1)], 2, seed=0)
    vines = policy.resume(rows, torch.tensor([3, 4, 5, 6]), 3, seed=0)
    assert vines.mask.sum(1).tolist() == [
        len(o) - at for o, at in zip(vines.outputs, [3] * 3 + [4] * 3 + [5] * 3 + [6] * 3, strict=True)
    ]
    for i, made in enumerate(vines.outputs):
        assert_close(made.observations[:4], rows.outputs[i // 3].observations[:4])


def test_the_picture_has_the_path_and_the_goal():
    drawn = TWO.picture(demonstrations(TWO, 1, seed=0)[0])
    assert drawn["kind"] == "trajectory"
    assert drawn["goal"] == drawn["positions"][-1]
    assert "goal" not in TWO.picture(episode(TWO, START, [EAST]))
    assert drawn["walls"]


def test_a_row_does_not_depend_on_its_neighbours():
    world = Rooms(horizon=8)

    def north_or_east(observation, rows, decision):
        return torch.where(observation[:, 7] > 0, EAST, NORTH)[:, None, None]

    whole = play(world, KEYS[:6], KEYS[:6], north_or_east)
    alone = play(world, KEYS[4:5], KEYS[4:5], north_or_east)
    length = int(whole.length[4])
    assert length == int(alone.length[0])
    assert_close(whole.observations[4, : length + 1], alone.observations[0, : length + 1])
