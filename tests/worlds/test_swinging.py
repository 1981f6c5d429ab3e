"""The changed world: what is measured there, and an agent that is trained in a nominal one and kept."""

import pytest
import torch

from rlft import cache
from rlft.environments.protocol import Episode
from rlft.methods.sac import sac
from rlft.offpolicy.learner import Phase
from rlft.worlds.swinging import CHANGED, NOMINAL, pretrained, swinging, unsafe


def test_what_is_known_of_the_changed_world_is_the_nominal_one():
    for system in ("pendulum", "cart_pole"):
        ground = swinging(system)
        assert ground.environment is CHANGED[system] and ground.environment.nominal is NOMINAL[system]
        assert swinging(system, tried="nominal").environment is NOMINAL[system]
        assert ground.environment.action == NOMINAL[system].action
        assert set(ground.probes[0](ground.policy)) == {"home"}


def test_fast_steps_by_hand():
    """Two episodes of 2 and 1 steps, whose second and third end at 6.5 and -7 rad/s."""
    rows = [[0.0, 6.5, 6.0], [0.0, -7.0]]
    episodes = [
        Episode(
            torch.tensor([[1.0, 0.0, speed] for speed in speeds]),
            torch.zeros(len(speeds) - 1, 1),
            torch.zeros(len(speeds) - 1),
            terminated=False,
            truncated=True,
        )
        for speeds in rows
    ]
    assert unsafe(NOMINAL["pendulum"])([], episodes) == {"fast": pytest.approx(2 / 3)}


def test_an_agent_is_trained_once_and_kept_without_its_temperature(monkeypatch, tmp_path):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    phase = Phase(sac(), worlds=2, utd=0.5, warmup=4)
    settings = {"hidden": (4,), "batch": 4, "lr": 1e-3}
    first = pretrained("swung.safetensors", NOMINAL["pendulum"], phase, 6, 0, **settings)
    assert not [name for name in first if name.startswith("duals")] and "policy.actor.weights.0" in first
    assert (cache.cache_dir() / "swung.safetensors").exists()
    again = pretrained("swung.safetensors", NOMINAL["pendulum"], phase, 6, 5, **settings)
    assert all(torch.equal(again[name], held) for name, held in first.items())
    other = pretrained(None, NOMINAL["pendulum"], phase, 6, 5, **settings)
    assert not torch.equal(other["policy.actor.weights.0"], first["policy.actor.weights.0"])
