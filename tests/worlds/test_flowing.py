"""A point mass shown its way: whose episodes, what is imitated, what an update is counted at."""

import pytest
import torch
from torch.testing import assert_close

from rlft.cache import cache_dir
from rlft.policies.control.policy import Control, Deterministic
from rlft.policies.stepwise.noise_rules import FlowNoise
from rlft.worlds.flowing import CHUNK, WORLDS, flowing, price, shown, taught, windows

SMALL = {"episodes": 4, "imitation": 3}


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))


def crossing(episode):
    """The height at which an episode passes the wall."""
    x, y = episode.observations[:, 0], episode.observations[:, 1]
    return float(y[int((x > 0).nonzero()[0])]) if (x > 0).any() else None


def test_whose_episodes_they_are():
    moved = [crossing(episode) for episode in shown("moved", 6, seed=1)]
    there = [y for y in moved if y is not None]
    # through a gap from 0 to 0.4, of which the world has only the half up to 0.2 left
    assert len(there) >= 4 and all(-0.05 < y < 0.45 for y in there) and max(there) > 0.2
    assert WORLDS["moved"].gaps == ((-0.2, 0.2),)
    two = shown("two", 6, seed=1)
    assert len(two) == 6
    low, high = ([crossing(episode) for episode in half] for half in (two[:3], two[3:]))
    assert all(y is None or y < 0 for y in low) and all(y is None or y > 0 for y in high)
    assert any(y is not None for y in low) and any(y is not None for y in high)
    assert len({float(episode.observations[0, 1]) for episode in two}) == 6  # each from a start of its own
    assert len(shown("two", 3, seed=1)) == 3
    other = shown("moved", 2, seed=2)
    assert not torch.equal(other[0].actions[:5], shown("moved", 2, seed=1)[0].actions[:5])


def test_every_whole_chunk_is_imitated():
    episodes = shown("two", 2, seed=0)
    seen, done = windows(episodes)
    assert len(seen) == sum(len(episode) - CHUNK + 1 for episode in episodes) and done.shape[1:] == (4, 2)
    assert_close(done[5].double(), episodes[0].actions[5:9], atol=1e-6, rtol=0)
    assert_close(seen[5].double(), episodes[0].observations[5], atol=1e-6, rtol=0)


def test_arms_of_a_seed_begin_with_one_flow():
    kinds = {kind: flowing(policy=kind, critic=True, **SMALL) for kind in ("sde", "hybrid", "noise", "gaussian")}
    first = kinds["sde"].policy.net.state_dict()
    for kind in ("hybrid", "noise"):
        assert all(
            torch.equal(a, b) for a, b in zip(kinds[kind].policy.net.state_dict().values(), first.values(), strict=True)
        )
    assert [kinds[kind].policy.noisy for kind in ("sde", "hybrid", "noise")] == ["every", "one", "every"]
    rule = kinds["noise"].policy.rule
    assert isinstance(rule, FlowNoise) and (rule.low, rule.high) == (0.08, 0.16)
    assert kinds["sde"].policy.rule.name == "flow_sde(0.5)"
    assert flowing(policy="sde", level=0.7, **SMALL).policy.rule.name == "flow_sde(0.7)"
    assert isinstance(kinds["gaussian"].policy, Control) and isinstance(kinds["gaussian"].deploy, Deterministic)
    base = taught("moved", "gaussian", 4, 3, 0).state_dict()
    assert all(torch.equal(kinds["gaussian"].policy.state_dict()[name], value) for name, value in base.items())
    assert len(list((cache_dir() / "flowing").iterdir())) == 2


def test_what_an_update_takes():
    made = flowing(policy="hybrid", denoising_steps=5, **SMALL).policy
    found = price(made, episodes=3)
    assert found["passes/share"] == 0.2 and 0 < found["speed/update"] < 5
    assert price(flowing(policy="noise", **SMALL).policy, episodes=2)["passes/share"] == 1
    assert all(weight.grad is None or not weight.grad.any() for weight in made.parameters())
