"""A stone that slides: by hand, in closed form, and by one who knows the friction."""

import pytest
import torch

from rlft.environments.play import play
from rlft.environments.protocol import Drawn, Environment, Measured
from rlft.environments.sliding import LAG, LINE, SPEED, Sliding, aimed
from rlft.types import UserError

WORLD = Sliding()
KEYS = torch.arange(1, 401) * 7919


def state(x, y, vx, vy, gx=0.5, gy=0.0):
    return torch.tensor([[x, y, vx, vy, gx, gy]], dtype=torch.float64)


def test_it_is_an_environment():
    assert isinstance(WORLD, Environment) and isinstance(WORLD, Measured) and isinstance(WORLD, Drawn)


def test_a_step_in_the_hand():
    """v' = (1 - LAG) v + LAG SPEED a, whatever the friction."""
    found = WORLD.step(state(-0.8, 0.1, 0.02, -0.02), torch.tensor([[1.0, 2.0]]), 0, KEYS[:1])
    vx, vy = (1 - LAG) * 0.02 + LAG * SPEED, -(1 - LAG) * 0.02 + LAG * SPEED  # the command is clipped to 1
    assert found.state[0].tolist() == pytest.approx([-0.8 + vx, 0.1 + vy, vx, vy, 0.5, 0.0])
    assert found.reward.tolist() == [0] and not found.terminated[0] and not found.truncated[0]


def test_a_step_behind_the_line():
    """The command is nothing there, and the pace falls by the friction."""
    found = WORLD.step(state(LINE, 0.0, 0.03, 0.04), torch.tensor([[1.0, -1.0]]), 0, KEYS[:1])
    assert found.state[0, 2:4].tolist() == pytest.approx([0.03 * 0.046 / 0.05, 0.04 * 0.046 / 0.05])
    assert WORLD.step(state(0.3, 0.0, 0.003, 0.0), torch.zeros(1, 2), 0, KEYS[:1]).state[0, :3].tolist() == [0.3, 0, 0]


def test_how_far_it_slides():
    """The pace falls from n friction by one friction a step: friction (n - 1) n / 2 = s² / (2 friction) - s / 2."""
    pace = 20 * WORLD.friction
    now = state(0.0, 0.0, pace, 0.0)
    for t in range(25):
        now = WORLD.step(now, torch.zeros(1, 2), t, KEYS[:1]).state
    assert float(now[0, 0]) == pytest.approx(WORLD.friction * 19 * 20 / 2)
    assert float(now[0, 0]) == pytest.approx(pace**2 / (2 * WORLD.friction) - pace / 2)


def test_at_the_border_it_lies_still():
    found = WORLD.step(state(0.95, 0.0, 0.1, 0.0), torch.zeros(1, 2), 0, KEYS[:1])
    assert found.state[0, :4].tolist() == [1, 0, 0, 0]


def test_it_is_paid_at_the_last_step():
    near = state(0.5, WORLD.tolerance, 0.0, 0.0)
    for t, paid in ((0, 0), (WORLD.horizon - 1, 1)):
        found = WORLD.step(near, torch.zeros(1, 2), t, KEYS[:1])
        assert found.reward.tolist() == [paid] and bool(found.truncated[0]) == bool(paid) and not found.terminated[0]
    assert WORLD.reward(near, torch.zeros(1, 2), near).tolist() == [0] and not WORLD.ended(near)[0]


def test_who_knows_the_friction_gets_there():
    """And who takes it for another does not."""

    def share(believed):
        played = play(WORLD, KEYS, KEYS, lambda seen, rows, t: aimed(believed, seen)[:, None])
        return float(played.rewards.sum(1).mean())

    assert share(WORLD) > 0.99
    assert share(Sliding(friction=0.6 * WORLD.friction)) < 0.2


def test_starts_and_pictures():
    starts = WORLD.reset(KEYS)
    assert torch.equal(starts, WORLD.reset(KEYS)) and (starts[:, 0] < LINE).all() and (starts[:, 4] > LINE).all()
    episode = play(WORLD, KEYS[:1], KEYS[:1], lambda seen, rows, t: aimed(WORLD, seen)[:, None]).episodes()[0]
    drawn = WORLD.picture(episode)
    assert drawn["goal"] == pytest.approx(starts[0, 4:].tolist()) and len(drawn["positions"]) == WORLD.horizon + 1
    with pytest.raises(UserError, match="more than 0"):
        Sliding(friction=0.0)
