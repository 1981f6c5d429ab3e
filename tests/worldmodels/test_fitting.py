"""A model fitted to episodes: it learns the world, says how far it is off, and the world in it is the world."""

import pytest
import torch

from rlft.environments.play import play
from rlft.environments.sliding import Sliding, aimed
from rlft.types import UserError
from rlft.worldmodels.black_box import BlackBox
from rlft.worldmodels.fitting import fitted

WORLD = Sliding(horizon=20)


def episodes(count):
    keys = torch.arange(count) * 104729 + 1
    return play(WORLD, keys, keys, lambda seen, rows, t: aimed(WORLD, seen)[:, None]).episodes()


def test_more_updates_are_nearer():
    off = {}
    for updates in (1, 150):
        model = BlackBox(WORLD, [32], 2, 0)
        off[updates] = fitted(model, WORLD, episodes(40), updates, batch=128, lr=5e-3, horizon=5)
        assert set(off[updates]) == {"model_error/1", "model_error/5"}
    assert off[150]["model_error/1"] < 0.5 * off[1]["model_error/1"]
    assert off[150]["model_error/5"] < off[1]["model_error/5"]


def test_the_same_seed_is_the_same_model():
    made = [BlackBox(WORLD, [8], 2, 0) for _ in range(3)]
    for model, seed in zip(made, (0, 0, 1), strict=True):
        fitted(model, WORLD, episodes(4), 3, batch=16, seed=seed)
    one, again, other = (torch.cat([p.flatten() for p in model.parameters()]) for model in made)
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_one_episode_is_too_few():
    with pytest.raises(UserError, match="at least 2, not 1"):
        fitted(BlackBox(WORLD, [8], 1, 0), WORLD, episodes(1), 1)
