"""What every method that learns from a buffer must do, the list of them read from the folder of methods."""

import copy
import functools
import importlib
import inspect

import pytest
import torch

from rlft import methods
from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.methods.cal_ql import cal_ql
from rlft.methods.sac import sac
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.learner import Learner, Phase
from rlft.offpolicy.method import OffPolicy
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.types.acting import Believing
from rlft.worldmodels.imagination import Dreamer
from rlft.worldmodels.rssm import RSSM
from tests.contracts.test_methods import build

NAMES = methods.names(OffPolicy)
WORLD = PointMass(horizon=8, gust=0.1)


def learner(name, offline=0.5, worlds=2, **settings):
    method, head = build(name), functools.partial(StateTanhGaussian, std=0.7)
    if Believing in method.needs:
        policy = Dreamer(WORLD, RSSM(4, 2, deter=6, stoch=3, width=8), head, width=8)
    else:
        policy = Control(WORLD, head=head, width=16, activation=torch.relu)
    data = demonstrations(WORLD, 6, seed=1, clumsy=0.2)
    phases = [Phase(method, worlds=worlds, offline=offline, warmup=4)]
    usual = {"batch": 16, "interval": 12, "hidden": (16,), "capacity": 64, "seed": 3}
    return Learner(policy, WORLD, phases, data=data, **{**usual, **settings})


def weights(one):
    return torch.cat([value.detach().double().flatten() for value in one.agent.state_dict().values()])


def test_there_are_methods():
    assert {"sac", "td3_bc", "iql", "cql", "cal_ql", "rlpd"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_page(name):
    """One function of the file's name, documented: citation, equations, every argument."""
    module = importlib.import_module(f"rlft.methods.{name}")
    function = getattr(module, name)
    assert "loss" in module.__doc__ and "arXiv:" in module.__doc__
    assert len(inspect.getsource(module).splitlines()) <= 100
    for argument in inspect.signature(function).parameters:
        assert f"        {argument}: " in function.__doc__, f"{name} does not document {argument}"
    assert build(name).name == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("offline", "worlds"), [(1.0, 0), (0.5, 2), (0.0, 1)])
def test_it_moves_everything_it_trains(name, offline, worlds):
    """From data alone, from both, from its own steps alone; and nothing becomes infinite."""
    one = learner(name, offline, worlds)
    before = copy.deepcopy(one.agent.state_dict())
    metrics = one.step()
    after = one.agent.state_dict()
    trained = {part for descent in one.method.descents for part in map(id, descent.parameters(one.agent))}
    for parameter, value in one.agent.named_parameters():
        if id(value) in trained:
            assert not torch.equal(before[parameter], after[parameter]), parameter
    assert weights(one).isfinite().all()
    assert metrics["loss"] == metrics["loss"] and metrics["updates"] > 0


def two_phases():
    """Cal-QL on data, then SAC on worlds alone after a warm-up, with moments that start anew: WSRL's shape."""
    data = cal_ql(critics=3, norm=layer_norm)
    online = sac(critics=3, subset=2, norm=layer_norm, backed_up=0.0, actor_every=2)
    one = learner("sac")
    phases = [
        Phase(data, steps=1, worlds=0, offline=1.0),
        Phase(online, worlds=2, utd=2.0, warmup=10, restart=("critic", "policy")),
    ]
    settings = {"batch": 16, "interval": 12, "hidden": (16,), "capacity": 64, "seed": 3}
    given = demonstrations(WORLD, 6, seed=1, clumsy=0.2)
    return Learner(one.policy, WORLD, phases, data=given, **settings)


def test_data_then_worlds():
    """The second phase draws from its own steps alone, and a run that stopped in either goes on bit for bit."""
    straight, states = two_phases(), []
    assert straight.advance() is None and straight.buffer.added == 0
    critic = straight.optimizers["critic"]
    while straight.steps_done < 3:
        states.append((straight.steps_done, copy.deepcopy(straight.state_dict())))
        straight.advance()
    assert straight.optimizers["critic"] is not critic
    assert straight.mixed.share == 0 and straight.buffer.added > 0
    assert {done for done, _ in states} == {0, 1, 2}
    for _, state in states[::7]:
        resumed = two_phases()
        resumed.load_state_dict(state)
        list(resumed.run(3))
        assert torch.equal(weights(resumed), weights(straight))


@pytest.mark.parametrize("name", NAMES)
def test_stop_and_resume_is_the_straight_run(name):
    straight, states = learner(name), []
    while straight.steps_done < 2:
        states.append(copy.deepcopy(straight.state_dict()))
        straight.advance()
    for state in states[1::3]:
        resumed = learner(name)
        resumed.load_state_dict(state)
        list(resumed.run(2))
        assert torch.equal(weights(resumed), weights(straight))
