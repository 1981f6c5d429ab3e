"""The recipe wsrl: what its arms share, what its numbers mean, and the way to other people's data."""

import pytest
import torch

from rlft import cache
from rlft.environments import minari
from rlft.environments.gym import Gymnasium
from rlft.environments.play import play
from rlft.methods.iql import iql
from rlft.methods.sac import sac
from rlft.recipes.wsrl import CLAIM, CONSERVATIVE, ONLINE, offline_method, online, wsrl
from rlft.types import UserError

SMALL = {**CLAIM.smoke, "steps": 3}


def built(arm, seed=0, **more):
    settings = {name: value for name, value in SMALL.items() if name not in CLAIM.arms[arm].arguments}
    return wsrl(**{**settings, **CLAIM.arms[arm].arguments, **more}, seed=seed)


def weights(run, part="policy"):
    return torch.cat([p.detach().flatten() for p in getattr(run.trainer.agent, part).parameters()])


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))


def test_the_arms_of_a_seed_begin_with_one_agent():
    runs = {arm: built(arm) for arm in CLAIM.arms}
    assert len(list(cache.cache_dir().glob("wsrl-*"))) == 1
    for arm in ("drop", "drop-cal-ql", "retain"):
        for part in ("policy", "q", "q_target"):
            assert torch.equal(weights(runs[arm], part), weights(runs["wsrl"], part)), (arm, part)
    scratch, other = runs["rlpd"], built("wsrl", seed=1)
    assert not torch.equal(weights(scratch), weights(runs["wsrl"]))
    assert not torch.equal(weights(other), weights(runs["wsrl"]))
    assert not torch.equal(other.trainer.offline.columns["action"][:9], scratch.trainer.offline.columns["action"][:9])
    shares = {arm: run.trainer.mixed.share for arm, run in runs.items()}
    assert shares == {"wsrl": 0, "drop": 0, "drop-cal-ql": 0, "retain": 0.5, "rlpd": 0.5}


@pytest.mark.parametrize("warmup", [1, 9])
def test_the_updates_of_the_warm_up_are_made_up_for(warmup):
    run = built("wsrl", warmup=warmup, updates=2.0, steps=3, interval=8)
    log = list(run.trainer.run(3))
    assert sum(metrics["decisions/drawn"] for metrics in log) == 24
    assert run.trainer.updated == 48
    assert (log[0]["updates"] > 0) == (warmup == 1)


def test_the_offline_phase_is_calql_with_the_critics_of_what_goes_on():
    for going_on in (ONLINE, CONSERVATIVE):
        assert offline_method(going_on, 0.02).settings == CONSERVATIVE.settings
    other = offline_method(sac(gamma=0.9, tau=0.1, alpha=0.2, alpha_lr=0.3, critics=7), 5.0)
    assert {n: other.settings[n] for n in ("gamma", "tau", "alpha", "alpha_lr", "critics", "weight")} == {
        "gamma": 0.9,
        "tau": 0.1,
        "alpha": 0.2,
        "alpha_lr": 0.3,
        "critics": 7,
        "weight": 5.0,
    }
    assert offline_method(iql(gamma=0.8), 1.0).settings["gamma"] == 0.8


def test_the_dip_is_below_the_last_evaluation_before_the_world():
    """Two steps of data alone, then three of the world: 0.8 is where the online phase begins."""
    metrics = [{"step": step, **({"decisions/drawn": 5.0} if step > 2 else {})} for step in range(1, 6)]
    rewards = (0.1, 0.9, 0.8, 0.5, 0.7, 0.9)
    evaluations = [{"step": step, "reward": reward} for step, reward in enumerate(rewards)]
    assert online(metrics, evaluations) == {"dip": pytest.approx(0.3), "lowest": 0.5, "online": pytest.approx(0.7)}
    assert online(metrics[:2], evaluations[:3]) == {}
    assert online(metrics, [line for line in evaluations if line["step"] not in (3, 4)])["dip"] == 0


def test_data_of_others_and_a_world_of_gymnasium(tmp_path):
    """Both phases in one run, on a Minari data set."""
    pytest.importorskip("minari", reason="Minari data sets need minari: pip install 'rlft[minari]'")
    pytest.importorskip("gymnasium")
    world, keys = Gymnasium("Pendulum-v1", horizon=6), torch.arange(3)
    generator = torch.Generator().manual_seed(0)
    played = play(
        world, keys, keys, lambda seen, rows, t: 4 * torch.rand(len(seen), 1, 1, generator=generator).double() - 2
    )
    minari.write(played.episodes(), tmp_path / "set", world.action)
    run = built("wsrl", env="Pendulum-v1", data=str(tmp_path / "set"), pretraining=20, interval=10, warmup=5)
    assert len(run.trainer.offline) == 18 and run.steps == 2 + 3
    log = list(run.trainer.run(run.steps))
    assert ["decisions/drawn" in metrics for metrics in log] == [False, False, True, True, True]
    assert run.trainer.updated == 20 + 30
    assert not list(cache.cache_dir().glob("wsrl-*"))
    with pytest.raises(UserError, match="give --env and --data"):
        built("wsrl", env="Pendulum-v1")
