"""Who teaches the insertion and how, and what is measured, by hand."""

import math

import pytest
import torch

from rlft.environments.insertion import FACE, HALF
from rlft.environments.protocol import Episode
from rlft.types import UserError
from rlft.worlds.inserted import BESIDE, UNSEEN, WORLD, aimed, cycle, inserted, shown, teachers


def test_who_teaches():
    assert teachers(5, 0.6) == ["beside", "beside", "beside", "good", "good"]
    assert teachers(50, 0.4).count("beside") == 15 and teachers(50, 0.4).count("slow") == 5
    assert teachers(2, 0.0) == ["good", "good"]
    for count, flawed in ((0, 0.4), (3, 1.2), (3, -0.1)):
        with pytest.raises(UserError, match="share of flawed ones between 0 and 1"):
            teachers(count, flawed)


def test_what_they_show():
    """Who aims beside the slot meets the face above it; the others insert, the slow ones in twice the time."""
    episodes, kinds = shown(60, 0.5, seed=3), teachers(60, 0.5)
    by = {kind: [one for one, own in zip(episodes, kinds, strict=True) if own == kind] for kind in set(kinds)}
    assert all(one.rewards.sum() == 1 and one.terminated for one in by["good"])
    for one in by["beside"]:
        assert one.rewards.sum() == 0 and one.terminated
        assert -BESIDE[1] - 0.1 < one.observations[-1, 4] < -HALF
    mean = {kind: sum(map(len, ones)) / len(ones) for kind, ones in by.items()}
    assert 1.6 < mean["slow"] / mean["good"] < 2.4
    assert all(one.actions.abs().max() <= 0.95 for one in episodes)
    assert not torch.equal(shown(1, 0.0, 3)[0].actions, shown(1, 0.0, 4)[0].actions)


def test_a_command_by_hand():
    """At the face and too low: up, not on. In line: straight on, at the pace that is asked for."""
    low = torch.tensor([[FACE - 0.1, 0.0, 0.0, 0.0, 0.16], [FACE - 0.1, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    command = aimed(low, torch.zeros(2, dtype=torch.float64), torch.tensor([1.0, 0.5], dtype=torch.float64))
    assert command[0].tolist() == pytest.approx([0.0, 1.0]) and command[1].tolist() == pytest.approx([0.5, 0.0])
    off = aimed(low[1:], torch.tensor([0.16], dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    assert off[0].tolist() == pytest.approx([0.0, 1.0])


def test_the_cycle_is_of_those_that_succeed():
    def ended(x, steps):
        seen = torch.zeros(steps + 1, 5, dtype=torch.float64)
        seen[-1, 0] = x
        nothing = torch.zeros(steps, dtype=torch.float64)
        return Episode(seen, nothing[:, None].expand(-1, 2), nothing, terminated=True, truncated=False)

    found = cycle([], [ended(0.65, 20), ended(0.5, 3), ended(0.7, 30)])
    assert found == {"cycle": 25.0, "log_cycle": pytest.approx(math.log(25))}
    assert cycle([], [ended(0.5, 3)])["cycle"] == 64


def test_the_probe_plays_the_same_policy_where_nobody_showed():
    ground = inserted(demonstrations=3, width=8, problems=4)
    assert len(ground.data) == 3 and ground.policy.chunk == 8
    (probe,) = ground.probes
    assert probe(ground.policy) == {"unseen": 0.0}
    assert ground.policy.environment is WORLD and UNSEEN.slots[0] >= WORLD.slots[1]
