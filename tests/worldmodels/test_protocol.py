"""Stretches of what was played: they stop where an episode does, and come out of several buffers alike."""

import pytest
import torch

from rlft.environments.swinging import SwingUp
from rlft.offpolicy.buffer import Buffer
from rlft.types import UserError
from rlft.worldmodels.physics import Physics
from rlft.worldmodels.protocol import drawn, error, paths
from tests.worldmodels.seen import buffer

WORLD = SwingUp(horizon=5)


def test_a_stretch_stops_with_its_episode():
    held = buffer(WORLD, 2)
    found = paths(held, torch.tensor([1, 3, 4]), 3)
    assert found.valid.tolist() == [[True] * 3, [True, True, False], [True, False, False]]
    columns = held.columns
    assert torch.equal(found.observations[0, 0], columns["observation"][1])
    assert torch.equal(found.observations[0, 1:], columns["next_observation"][1:4])
    assert torch.equal(found.actions[0], held.action.stretch(columns["action"][1:4]))
    assert torch.equal(found.rewards[0], columns["reward"][1:4]) and len(found) == 3


def test_of_several_buffers_every_step_is_equally_likely():
    one, two = buffer(WORLD, 3), buffer(WORLD, 1, seed=1)
    found = drawn([one, two], 4000, 1, torch.Generator().manual_seed(0))
    ours = (found.observations[:, None, 0] == two.columns["observation"][None]).all(-1).any(-1).double().mean()
    assert float(ours) == pytest.approx(0.25, abs=0.025)
    with pytest.raises(UserError, match="collect first"):
        drawn([Buffer(4, 3, WORLD.action)], 2, 1, torch.Generator())


def test_the_error_of_the_truth_is_nothing():
    found = drawn([buffer(WORLD, dtype=torch.float64)], 16, 4, torch.Generator().manual_seed(1))
    assert max(error(Physics(WORLD, WORLD, [4], 0), found).values()) < 1e-9
    wrong = error(Physics(WORLD, SwingUp(mass=2.0), [4], 0), found)
    assert set(wrong) == {"model_error/1", "model_error/4"}
    assert 0 < wrong["model_error/1"] < wrong["model_error/4"]
