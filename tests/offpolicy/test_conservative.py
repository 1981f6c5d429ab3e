"""Conservative terms, calibration and search on numbers that are known."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Box, Discrete
from rlft.methods.cal_ql import cal_ql
from rlft.methods.cql import cql
from rlft.offpolicy.conservative import anywhere, calibrated, conservative
from rlft.offpolicy.critics import Critics
from rlft.offpolicy.search import ActionSearch, Found
from rlft.offpolicy.values import least
from tests.contracts.test_offpolicy import learner, weights


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_datas_own_actions_leave_nothing_to_push():
    """The only candidates are the data's own action, n times: the term is 0 and has no gradient."""
    data = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    volume = torch.full((2, 4), -math.log(4), dtype=torch.float64)
    term = conservative(data[..., None].expand(2, 2, 4), volume, data)
    assert_close(term, torch.zeros(2, 2, dtype=torch.float64), atol=1e-12, rtol=0)
    (gradient,) = torch.autograd.grad(term.sum(), data)
    assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def test_the_term_by_hand():
    q = torch.tensor([[[0.0, 2.0]]], dtype=torch.float64)
    data = torch.tensor([[0.5]], dtype=torch.float64)
    volume = torch.tensor([[math.log(0.25), math.log(3.0)]], dtype=torch.float64)
    assert float(conservative(q, volume, data)) == pytest.approx(math.log(0.25 + 3 * math.e**2) - 0.5)
    hot = 2 * math.log(0.25 + 3 * math.e) - 0.5
    assert float(conservative(q, volume, data, temperature=2.0)) == pytest.approx(hot)


def test_volumes_measure_the_space():
    """Σ volume exp(Q) is ∫ exp Q: 4 for a square of side 2 and Q = 0, a sum over a list, and sinh 2 for Q = 2a."""
    square = anywhere(Box((-5.0, 0.0), (5.0, 1.0)), 1, torch.zeros(3, 2, dtype=torch.float64), 6, generator())
    assert_close(square.log_volume.exp().sum(1), torch.full((3,), 4.0, dtype=torch.float64))
    assert square.action.shape == (3, 6, 1, 2) and square.action.abs().max() <= 1 and square.action.min() < -0.5
    listed = anywhere(Discrete(3), 1, torch.zeros(2, 2), 99, generator())
    assert listed.action[0, :, 0, 0].tolist() == [0, 1, 2] and listed.log_volume.tolist() == [[0.0] * 3] * 2
    line = anywhere(Box((0.0,), (1.0,)), 1, torch.zeros(1, 1, dtype=torch.float64), 20000, generator())
    integral = (line.log_volume + 2 * line.action[..., 0, 0]).exp().sum()
    assert float(integral) == pytest.approx(math.sinh(2), rel=0.03)  # five standard errors


def test_a_policys_own_draws_measure_the_space_too():
    one = learner("sac")
    seen = torch.randn(1, 4, dtype=torch.float64, generator=generator())
    own = one.policy.candidates(seen, 20000, generator(1))
    assert float(own.log_volume.detach().exp().sum()) == pytest.approx(4.0, rel=0.05)
    again = one.policy.imitation(seen.expand(5, -1), own.action[0, :5], generator())
    assert_close(-again.sum(1), own.log_prob[0, :5], atol=1e-6, rtol=0)


def test_calibration_by_hand():
    q = torch.tensor([[[1.0, 5.0], [2.0, -3.0]]], requires_grad=True)
    bounded = calibrated(q, torch.tensor([3.0, -torch.inf]))
    assert bounded.tolist() == [[[3.0, 5.0], [2.0, -3.0]]]
    (gradient,) = torch.autograd.grad(bounded.sum(), q)
    assert gradient.tolist() == [[[0.0, 1.0], [1.0, 1.0]]]


def trained(method, returns):
    one = learner("cql")
    phase = replace(one.phases[0], method=method, offline=1.0, worlds=0)
    one.phases = (phase,)
    one.begin_phase()
    one.offline.columns["returns"].fill_(returns)
    one.step()
    return weights(one)


def test_cal_ql_without_returns_is_cql():
    plain = trained(cql(weight=3.0), 1.0)
    assert torch.equal(trained(cal_ql(weight=3.0), -torch.inf), plain)
    assert not torch.equal(trained(cal_ql(weight=3.0), 1.0), plain)


def test_the_lagrange_weight_grows_where_the_gap_is_too_wide():
    one = learner("cql")
    for gap, grows in ((-1e3, True), (1e3, False)):
        phase = replace(one.phases[0], method=cql(gap=gap, weight_lr=0.1))
        fresh = learner("cql")
        fresh.agent.duals["conservatism"] = phase.method.duals["conservatism"](PointMass().action, 1)
        fresh.phases, fresh.optimizers = (phase,), {}
        fresh.begin_phase()
        before = float(fresh.agent.weight("conservatism"))
        fresh.step()
        assert (float(fresh.agent.weight("conservatism")) > before) == grows


def search_setting():
    critics = Critics(4, PointMass().action, members=3, hidden=(8,), seed=2).double()
    seen = torch.randn(6, 4, dtype=torch.float64, generator=generator(3))
    return learner("sac").policy, critics, seen


def test_a_search_of_no_steps_is_the_best_proposal():
    policy, critics, seen = search_setting()
    found = ActionSearch(n=12, keep=5, steps=0)(policy, critics, seen, generator(7))
    proposed = policy.propose(seen, 12, generator(7)).detach()
    q = critics.of(seen, proposed).mean(dim=0)
    assert torch.equal(found.best(), proposed[torch.arange(6), q.argmax(dim=1)])
    assert_close(found.q, q.sort(dim=1, descending=True).values[:, :5].detach())
    assert len(q.argmax(dim=1).unique()) > 1


def test_a_search_climbs():
    """Never worse than where it began, better somewhere, inside the box, and the critics keep no gradient."""
    policy, critics, seen = search_setting()
    still = ActionSearch(n=12, keep=5, steps=0)(policy, critics, seen, generator(7))
    found = ActionSearch(n=12, keep=5, steps=8, rate=0.5)(policy, critics, seen, generator(7))
    assert (found.q >= still.q).all() and (found.q > still.q + 1e-3).any()
    assert found.action.abs().max() <= 1
    assert_close(critics.of(seen, found.action).mean(dim=0), found.q, atol=1e-12, rtol=0)
    assert all(p.grad is None for p in critics.parameters()) and not found.action.requires_grad
    one = ActionSearch(n=4, keep=4, steps=1, rate=0.01)(policy, critics, seen, generator(7))
    start = policy.propose(seen, 4, generator(7)).detach().requires_grad_()
    q = critics.of(seen, start).mean(dim=0)
    (slope,) = torch.autograd.grad(q.sum(), start)
    order = q.argsort(dim=1, descending=True)[..., None, None].expand_as(start)
    assert_close(one.action, (start + 0.01 * slope).clamp(-1, 1).gather(1, order).detach(), atol=1e-12, rtol=0)


def test_the_datas_action_takes_the_last_place():
    policy, critics, seen = search_setting()
    data = torch.full((6, 1, 2), 0.123, dtype=torch.float64)
    found = ActionSearch(n=12, keep=5, steps=0, judge=least())(policy, critics, seen, generator(7), data)
    assert torch.equal(found.action[:, -1], data)
    assert_close(found.q[:, -1], critics(seen, data).amin(dim=0).detach())


def test_a_draw_by_value():
    action = torch.arange(3.0).view(1, 3, 1, 1).expand(6000, -1, -1, -1)
    q = torch.tensor([0.0, 1.0, 3.0]).expand(6000, -1)
    shares = Found(action, q).drawn(2.0, generator(1))[:, 0, 0].long().bincount() / 6000
    assert_close(shares, torch.tensor([0.0, 0.5, 1.5]).softmax(0), atol=0.03, rtol=0)
    assert Found(action, q).best()[:, 0, 0].unique().tolist() == [2.0]


def test_discrete_actions_are_ranked():
    critics = Critics(2, Discrete(3), members=2, hidden=(), seed=0)

    class All:
        chunk = 1

        def propose(self, observation, n, generator):
            return torch.arange(3).expand(len(observation), -1)[..., None, None]

    seen = torch.randn(5, 2, dtype=torch.float64, generator=generator(1))
    found = ActionSearch(n=10, keep=10, steps=3)(All(), critics, seen, generator())
    assert torch.equal(found.best()[:, 0, 0], critics.nets(seen).mean(dim=0).argmax(dim=1))


def test_methods_that_imitate_leave_nothing_out_at_their_limits():
    """IQL with temperature 0, and TD3+BC with weight 0: the policy's loss is imitation alone."""
    from rlft.methods.iql import iql
    from rlft.methods.td3_bc import td3_bc

    for method, name in ((iql(temperature=0.0), "iql"), (td3_bc(weight=0.0), "td3_bc")):
        one = learner(name, offline=1.0, worlds=0)
        batch = one.offline.sample(16, generator())
        descent = next(d for d in method.descents if d.name == "policy")
        fit = descent.loss(one.agent, batch, generator())
        assert float(fit.loss.detach()) == pytest.approx(float(fit.notes["imitation"]))
        if name == "td3_bc":
            error = (one.policy.centre(batch.observation) - batch.action).square().mean()
            assert float(fit.loss.detach()) == pytest.approx(float(error.detach()), rel=1e-6)


@pytest.mark.slow
def test_learning_from_clumsy_demonstrations_alone():
    """IQL from 40 episodes of an expert who trembles reaches more goals than the untrained policy: 0."""
    from rlft.methods.iql import iql
    from rlft.offpolicy.learner import Learner, Phase
    from rlft.policies.control.policy import Control
    from rlft.rewards.environment import environment_reward
    from rlft.tasks.starts import Starts
    from rlft.training.evaluate import evaluate

    world = PointMass()
    policy = Control(world, width=32, activation=torch.relu)
    data = demonstrations(world, 40, seed=1, clumsy=0.2)
    one = Learner(
        policy,
        world,
        [Phase(iql(), worlds=0, offline=1.0)],
        data=data,
        batch=64,
        interval=600,
        hidden=(32, 32),
        lr=2e-3,
    )
    untrained = copy.deepcopy(policy).deterministic()

    def reward(sampler):
        return evaluate(sampler, Starts(world, split="test"), environment_reward, problems=32).mean

    before = reward(untrained)
    one.step()
    assert reward(policy.deterministic()) > before + 0.5
