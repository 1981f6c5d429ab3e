"""The recipe lift_humanoid: what its arms share, what its numbers mean, and the way to a world of Gymnasium."""

import math

import pytest
import torch

from rlft import cache
from rlft.recipes.lift_humanoid import CLAIM, GOAL, lift_humanoid, reached
from rlft.worldmodels.black_box import BlackBox
from rlft.worldmodels.physics import Physics

SMALL = {**CLAIM.smoke, "problems": 1}


def built(arm, seed=0, **more):
    return lift_humanoid(**{**SMALL, **CLAIM.arms[arm].arguments, **more}, seed=seed)


def weights(run, part="policy"):
    return torch.cat([p.detach().flatten() for p in getattr(run.trainer.agent, part).parameters()])


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))


def test_the_arms_of_a_seed_begin_with_one_agent():
    runs = {arm: built(arm) for arm in ("base", "lift", "box", "sac", "det")}
    assert len(list(cache.cache_dir().glob("lift-*"))) == 1
    for run in runs.values():
        for part in ("policy", "q", "q_target"):
            assert torch.equal(weights(run, part), weights(runs["base"], part))
    kinds = {arm: run.trainer.inside and type(run.trainer.inside.model) for arm, run in runs.items()}
    assert kinds == {"base": Physics, "lift": Physics, "box": BlackBox, "sac": None, "det": None}
    assert not torch.equal(weights(built("lift", seed=1)), weights(runs["lift"]))
    assert not torch.equal(weights(built("lift", trained="changed")), weights(runs["lift"]))


def test_arms_take_as_many_steps_and_updates():
    counts = set()
    for arm in ("lift", "sac"):
        run = built(arm, updates=2.0, steps=2, interval=6, warmup=3)
        log = list(run.trainer.run(2))
        counts.add((sum(line["decisions/drawn"] for line in log), sum(line["updates"] for line in log)))
        assert ("model/rms" in log[0]) == (arm == "lift")
    assert counts == {(12.0, 40)}


def test_when_the_goal_is_reached():
    """25 real steps a line: at the second evaluation after the start, 50 steps; never counts as one line more."""
    metrics = [{"step": step, "decisions/drawn": 25.0} for step in (1, 2, 3)]
    rewards = (GOAL + 1, 10.0, GOAL, 50.0)
    evaluations = [{"step": step, "reward": reward} for step, reward in enumerate(rewards)]
    found = reached(metrics, evaluations)
    assert found == {"late": pytest.approx(math.log2(50)), "online": pytest.approx((10 + GOAL + 50) / 3)}
    never = [{**line, "reward": 0.0} for line in evaluations]
    assert reached(metrics, never)["late"] == pytest.approx(math.log2(100))
    assert reached([], evaluations[:1]) == {}


def test_a_world_of_gymnasium_has_a_black_box():
    pytest.importorskip("gymnasium")
    run = built("lift", env="Pendulum-v1", rounds=4)
    assert isinstance(run.trainer.inside.model, BlackBox)
    list(run.trainer.run(2))
    assert run.trainer.buffer.added == 8
    assert not list(cache.cache_dir().glob("lift-*"))
