"""The distracted world's measures: scores of known controllers, and what latents of a known model hold."""

import pytest
import torch

from rlft.environments.play import play
from rlft.tasks.starts import Starts
from rlft.types import UserError
from rlft.worlds.distracted import dreamed, normalised


def test_the_score_is_1_for_the_good_controller_and_0_for_uniform_actions():
    world = dreamed(width=4, deter=4, stoch=2).environment
    keys, inner = torch.arange(1000, 1512), world.inner
    good = play(world, keys, keys, lambda seen, rows, t: inner.controlled(world.apart(seen)[0])[:, None])
    uniform = torch.Generator().manual_seed(3)
    any_ = play(
        world, keys, keys, lambda seen, rows, t: 2 * torch.rand(len(seen), 1, 2, generator=uniform).double() - 1
    )
    measure = normalised(world)
    assert abs(measure([], good.episodes())["score"] - 1) < 0.03
    assert abs(measure([], any_.episodes())["score"]) < 0.06


def test_probes_read_what_latents_hold():
    """Of an encoder that shows the state alone, all of it and nothing of the distraction is read."""
    ground = dreamed(horizon=10, width=36, deter=4, stoch=4, amplitude=1.0)
    world, policy = ground.environment, ground.policy
    rotation = world.rotation

    def shown(h, embedded):
        from rlft.worldmodels.rssm import Gaussian

        return Gaussian(embedded, torch.full_like(embedded, 1e-3))

    policy.model.embed = lambda seen: seen @ rotation[:, :4]
    policy.model.believed = shown
    outputs = policy.deterministic().sample([Starts(world).at(i) for i in range(64)], 1, 0).outputs
    found = ground.measures[1]([], outputs)
    assert found["r2/state"] > 0.95 and found["r2/distraction"] < 0.2


def test_sizes_that_cannot_be():
    with pytest.raises(UserError, match="stoch"):
        dreamed(stoch=0)
