"""Insertion: the equations by hand, the face that ends an episode, the slot that guides it."""

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.insertion import FACE, HALF, Insertion
from rlft.environments.play import play
from rlft.types import UserError


def t(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def step(state, action, at=3):
    return Insertion().step(t(state), t(action), at, torch.tensor([11]))


def test_one_step_by_hand():
    out = step((-0.5, 0.3, 0.02, -0.04, 0.1), (0.5, -2.0))
    # half of the velocity stays, and half of .08 a is added; the second command is clipped
    assert_close(out.state, t((-0.47, 0.24, 0.03, -0.06, 0.1)), atol=1e-12, rtol=0)
    assert (out.reward.item(), out.terminated.item(), out.truncated.item()) == (0.0, False, False)
    assert_close(Insertion().observe(out.state), t((-0.47, 0.24, 0.03, -0.06, -0.14)), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("y", "vy", "ends"), [(0.1 + HALF - 0.01, 0.0, False), (0.1 + HALF + 0.01, 0.0, True), (0.19, 0.08, True)]
)
def test_the_face_ends_an_episode_that_meets_it_beside_the_slot(y, vy, ends):
    """The last of them would be inside the slot's height at the start of the step, and meets the face above it."""
    out = step((FACE - 0.02, y, 0.08, vy, 0.1), (1.0, 1.0 if vy else 0.0))
    assert (out.terminated.item(), out.reward.item()) == (ends, 0.0)
    assert out.state[0, 0] == FACE if ends else out.state[0, 0] > FACE
    assert Insertion().distance(out.state).item() == pytest.approx(0.15 if ends else 0.15 - 0.06)


def test_the_slot_holds_the_tip_and_its_end_pays():
    out = step((0.6, 0.19, 0.08, 0.08, 0.1), (1.0, 1.0))
    assert_close(out.state, t((0.68, 0.1 + HALF, 0.08, 0.01, 0.1)), atol=1e-12, rtol=0)
    assert (out.reward.item(), out.terminated.item()) == (1.0, True)
    late = step((0.6, 0.19, 0.08, 0.08, 0.1), (1.0, 1.0), at=63)
    assert late.terminated.item() and not late.truncated.item()
    assert step((0.0, 0.0, 0.0, 0.0, 0.1), (0.0, 0.0), at=63).truncated.item()


def test_starts_of_equal_keys_are_equal_and_slots_are_where_they_are_asked_for():
    far = Insertion(slots=(0.3, 0.5))
    keys = torch.arange(400)
    state = far.reset(keys)
    assert torch.equal(state, far.reset(keys)) and bool((state[:, 2:4] == 0).all())
    height = state[:, 4].abs()
    assert 0.3 <= height.min() < 0.31 and 0.49 < height.max() <= 0.5
    assert 0.4 < (state[:, 4] > 0).double().mean() < 0.6
    assert bool(((-0.9 <= state[:, 0]) & (state[:, 0] <= -0.6)).all())


def test_nobody_gets_behind_the_face_beside_the_slot():
    world, keys = Insertion(), torch.arange(500)
    drawn = torch.Generator().manual_seed(0)

    def act(seen, rows, decision):
        push = torch.rand(len(rows), 1, 2, generator=drawn, dtype=torch.float64)
        return torch.stack([push[..., 0], 2 * push[..., 1] - 1], dim=-1)

    played = play(world, keys, keys, act).episodes()
    ends = torch.stack([episode.observations[-1] for episode in played])
    inside = ends[:, 0] > FACE
    assert bool((ends[inside, 4].abs() <= HALF + 1e-12).all()) and 5 < int(inside.sum()) < 495
    paid = torch.tensor([float(episode.rewards.sum()) for episode in played])
    assert torch.equal(paid > 0, world.distance(ends) <= 0)


def test_the_picture_has_the_slot_where_it_is():
    episode = play(
        Insertion(), torch.tensor([3]), torch.tensor([3]), lambda seen, rows, d: seen[:, None, :2]
    ).episodes()[0]
    shown, height = Insertion().picture(episode), float(Insertion().reset(torch.tensor([3]))[0, 4])
    assert shown["goal"] == pytest.approx([0.65, height]) and len(shown["walls"]) == 8
    assert len(shown["positions"]) == len(episode) + 1


@pytest.mark.parametrize("bad", [{"slots": (0.3, 0.2)}, {"slots": (-0.1, 0.2)}, {"slots": (0.0, 0.95)}, {"horizon": 0}])
def test_what_cannot_be(bad):
    with pytest.raises(UserError, match="slots are"):
        Insertion(**bad)
