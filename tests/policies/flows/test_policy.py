"""Flow policies with likelihoods: marginals in closed form, densities of torch, what is scored and what is deployed."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.testing import assert_close

from rlft.environments.menu import Menu, compass
from rlft.environments.point_mass import PointMass
from rlft.methods.ppo import ppo
from rlft.noise import normal, row_keys
from rlft.policies.control.flow import Flow
from rlft.policies.flows.policy import FlowPolicy
from rlft.policies.flows.velocity import NoiseNet
from rlft.policies.stepwise.noise_rules import FixedRule, Weights, flow_noise, flow_sde, ode
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.training.trainer import Trainer
from rlft.types import HasValue, Policy, UserError

# 6 decisions of 2 actions, the last of them of one
WORLD = PointMass(gust=0.2, horizon=11)


def lively(seed=4, **settings):
    """A flow whose network says something: its last layer starts nearly silent."""
    flow = Flow(WORLD, width=16, chunk=2, seed=seed)
    with torch.no_grad():
        flow.net.weights[-1].mul_(60)
    return FlowPolicy(WORLD, flow, **{"steps": 3, "width": 16, **settings})


def learned(**settings):
    net = NoiseNet(4, (2, 2), width=16, seed=3)
    with torch.no_grad():
        net.net.weights[-1].mul_(60)
    return lively(rule=flow_noise(net), **settings)


def rows_of(policy, problems=3, group=2, seed=7):
    return policy.sample([Starts(WORLD).at(i) for i in range(problems)], group, seed)


KINDS = {
    "sde": lively,
    "hybrid": lambda **told: lively(noisy="one", **told),
    "noise": learned,
    "one of the learned": lambda **told: learned(noisy="one", **told),
}


class Exact(nn.Module):
    """The velocity of one number that is N(1.5, 0.3²): E[z - a | x_t], linear in x."""

    chunk = 1

    def velocity(self, seen, x, t):
        t = t[:, None, None]
        spread = (1 - t) ** 2 * 0.09 + t**2
        return (t - (1 - t) * 0.09) / spread * (x - 1.5 * (1 - t)) - 1.5


class Line(PointMass):
    """A world of one action; it is not played."""

    @property
    def action(self):
        from rlft.environments.protocol import Box

        return Box((-1.0,), (1.0,))

    @action.setter
    def action(self, value): ...


def moments(rule, steps, until=None):
    """Mean and deviation where the chain has come after `until` steps, from the Gaussians of its steps."""
    policy = FlowPolicy(Line(), Exact(), steps=steps, rule=rule)
    k = torch.arange(steps).repeat(2)
    at = (torch.arange(2 * steps) >= steps).double()[:, None, None]  # each step from 0 and from 1
    ahead = policy.ahead(torch.zeros(2 * steps, 4).double(), at, k, torch.ones(2 * steps).bool())
    from_0, from_1 = ahead.mean.flatten().view(2, steps)
    mean, variance = 0.0, 1.0
    for i in range(steps if until is None else until):
        offset, slope = float(from_0[i]), float(from_1[i] - from_0[i])
        mean, variance = slope * mean + offset, slope**2 * variance + float(ahead.std[i]) ** 2
    return mean, variance**0.5


def test_flow_sde_has_the_marginals_of_the_ode():
    for rule in (ode(), flow_sde(0.5), flow_sde(0.8)):
        mean, std = moments(rule, 2000)
        assert mean == pytest.approx(1.5, abs=2e-3) and std == pytest.approx(0.3, abs=1e-3), rule
        mean, std = moments(rule, 2000, until=1000)  # half-way, where x = (a + z)/2
        assert mean == pytest.approx(0.75, abs=2e-3), rule
        assert std == pytest.approx(math.hypot(0.15, 0.5), abs=2e-3), rule
    # with few steps they are not those of the data: by hand for the ODE (factors .75, .67987, .58257, .59669 in four
    # steps) and one step of the SDE, √(.49 + .245²)
    few = [round(moments(rule, k)[1], 3) for rule in (ode(), flow_sde(0.7)) for k in (1, 4, 10)]
    assert few == [0.0, 0.177, 0.247, 0.742, 0.269, 0.282]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chunk_is_one_decision_whose_density_is_that_of_its_noisy_steps(kind):
    policy = KINDS[kind]()
    rows = rows_of(policy)
    states, noisy, seen = (rows.trace[name] for name in ("states", "noisy", "observations"))
    assert states.shape == (6, 6, 4, 2, 2) and rows.mask.shape == (6, 6)
    assert (noisy.sum(-1)[rows.mask] == (1 if policy.noisy == "one" else 3)).all()
    for i, d in rows.mask.nonzero().tolist()[::4]:
        total = 0.0
        for k in range(3):
            t, after = 1 - k / 3, 1 - (k + 1) / 3
            x = states[i, d, k][None]
            v = policy.net.velocity(seen[i, d][None], x, torch.tensor([t], dtype=torch.float64))
            x0, x1 = x - t * v, x + (1 - t) * v
            if not noisy[i, d, k]:
                assert_close(states[i, d, k + 1][None], x - v / 3, atol=1e-12, rtol=0)  # Euler's step
                continue
            if kind in ("sde", "hybrid"):
                g2 = 0.25 * t / (1 - (after if k == 0 else t))
                mean, std = (
                    (1 - after) * x0 + (after - g2 / 3 / (2 * t)) * x1,
                    torch.tensor((g2 / 3) ** 0.5, dtype=torch.float64),
                )
            else:
                raw = policy.rule.head(x, torch.tensor([t], dtype=torch.float64), seen[i, d][None])
                mean, std = x - v / 3, (0.08 * 0.16) ** 0.5 * 2 ** (raw.tanh() / 2)
            total = total + Normal(mean, std).log_prob(states[i, d, k + 1][None]).sum()
        assert_close(rows.logp_old[i, d], total, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["sde", "noise"])
def test_every_step_has_noise_of_its_own(kind):
    policy = KINDS[kind]()
    rows, asked = rows_of(policy), [Starts(WORLD).at(i) for i in range(3)]
    z = normal(row_keys(asked, 2, seed=7), 6, (4, 2, 2))
    states, seen = rows.trace["states"], rows.trace["observations"]
    at = rows.mask.nonzero(as_tuple=True)
    assert_close(states[at][:, 0], z[at][:, 0], atol=1e-12, rtol=0)
    for k in range(3):
        every = torch.ones_like(at[0])
        ahead = policy.ahead(seen[at], states[at][:, k], k * every, every.bool())
        assert_close((states[at][:, k + 1] - ahead.mean) / ahead.std, z[at][:, k + 1], atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_ratio_is_one(kind):
    policy = KINDS[kind]()
    rows = rows_of(policy)
    assert (rows.mask.sum(1) == 6).any() and rows.logp_old.std() > 0.1
    assert ((policy.log_prob(rows) - rows.logp_old).abs() <= 1e-12).all()
    apart = torch.cat([policy.log_prob(rows[[i]]) for i in range(6)])
    assert_close(apart, policy.log_prob(rows), atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_the_same_whoever_draws_it(kind):
    policy = KINDS[kind]()
    together = rows_of(policy, group=3)
    alone = policy.sample([Starts(WORLD).at(1)], 2, seed=7)
    for name, values in together.trace.items():
        width = min(values.shape[1], alone.trace[name].shape[1])
        assert_close(values[3:5, :width], alone.trace[name][:, :width], atol=1e-12, rtol=0)
    assert_close(together.logp_old[3:5, : alone.mask.shape[1]], alone.logp_old, atol=1e-12, rtol=0)
    assert len(together.logp_old[:, 0].unique()) == 9


def test_the_noisy_step_of_a_hybrid_is_any_of_them_and_is_scored_alone():
    policy = lively(noisy="one")
    rows = rows_of(policy, problems=64, group=1)
    share = rows.trace["noisy"][rows.mask].double().mean(0)
    assert_close(share, torch.full((3,), 1 / 3).double(), atol=0.09, rtol=0)
    asked, whole = [], replace(rows, trace={**rows.trace, "noisy": torch.ones_like(rows.trace["noisy"])})
    policy.net.net.register_forward_pre_hook(lambda module, given: asked.append(len(given[0])))
    policy.log_prob(rows)
    policy.log_prob(whole)
    assert asked == [int(rows.mask.sum()), 3 * int(rows.mask.sum())]


def test_learned_noise_that_has_learned_nothing_is_fixed_noise():
    net = NoiseNet(4, (2, 2), width=16, seed=3)
    with torch.no_grad():
        net.net.weights[-1].zero_()
    middle = math.sqrt(0.08 * 0.16)
    fixed = FixedRule("fixed", lambda schedule, t, after: Weights(1 - after, after, torch.full_like(t, middle)))
    one, other = rows_of(lively(rule=flow_noise(net))), rows_of(lively(rule=fixed))
    assert_close(one.trace["states"], other.trace["states"], atol=1e-12, rtol=0)
    assert_close(one.logp_old, other.logp_old, atol=1e-10, rtol=0)


def test_what_is_deployed_draws_where_it_starts_and_nothing_else():
    policy = learned()
    held = policy.deployed()
    rows, plain = (sampler.sample([Starts(WORLD).at(2)], 2, seed=7) for sampler in (held, lively(rule=ode())))
    assert not rows.mask.any() and not plain.mask.any()
    for one, other in zip(rows.outputs, plain.outputs, strict=True):
        assert_close(one.actions, other.actions, atol=1e-12, rtol=0)
    # it starts where its noisy rows start, and does what the flow without likelihoods does
    start = policy.noise(torch.tensor([11, 12]), torch.tensor([5]))[:, 0]
    seen = torch.randn(2, 4, generator=torch.Generator().manual_seed(1)).double()
    policy.net.times = [1.0, 2 / 3, 1 / 3, 0.0]
    assert_close(policy.act(seen, start), policy.net.act(seen, start), atol=1e-12, rtol=0)
    with torch.no_grad():
        for weight in policy.rule.parameters():
            weight.mul_(7)
    again = held.sample([Starts(WORLD).at(2)], 2, seed=7)
    assert all(torch.equal(a.actions, b.actions) for a, b in zip(rows.outputs, again.outputs, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_off_the_mask_has_no_gradient_and_padding_changes_nothing(kind):
    policy = KINDS[kind](critic=True)
    rows = rows_of(policy)
    silent = replace(rows, mask=torch.zeros_like(rows.mask))
    assert not policy.log_prob(silent).any() and not policy.value(silent).any()
    cut = torch.arange(6) < 2
    few = replace(rows, mask=rows.mask & cut)
    changed = {name: torch.where(cut.view(6, *[1] * (v.ndim - 2)), v, 9 * v) for name, v in rows.trace.items()}
    changed["noisy"] = rows.trace["noisy"]
    assert_close(policy.log_prob(replace(few, trace=changed)), policy.log_prob(few), atol=1e-12, rtol=0)

    def wider(values):
        return torch.cat([values, values.new_zeros(len(values), 2, *values.shape[2:])], dim=1)

    padded = replace(
        rows, trace={n: wider(v) for n, v in rows.trace.items()}, mask=wider(rows.mask), logp_old=wider(rows.logp_old)
    )
    assert_close(policy.log_prob(padded)[:, :6], policy.log_prob(rows), atol=1e-12, rtol=0)
    assert_close(policy.value(padded)[:, :6], policy.value(rows), atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_in_the_trainer(kind):
    policy = KINDS[kind](critic=True)
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    trainer = Trainer(policy, ppo(epochs=1), Starts(WORLD), environment_reward, prompts=4, group=2, rows=3)
    metrics = trainer.step()
    assert metrics["ratio/first"] <= 1e-12
    moved = {name.split(".")[0] for name, value in policy.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == ({"net", "critic", "rule"} if "learned" in kind or kind == "noise" else {"net", "critic"})


def test_a_cut_is_bootstrapped_where_the_critic_has_no_clock():
    rows = rows_of(lively(critic=True, clock=False))
    cut = torch.tensor([episode.truncated for episode in rows.outputs])
    assert cut.any() and torch.equal(rows.beyond.isfinite().any(1), cut)
    assert rows.beyond[cut].isfinite().nonzero()[:, 1].tolist() == [5] * int(cut.sum())
    assert not rows_of(lively(critic=True)).beyond.isfinite().any()


def test_what_it_can_and_what_it_is_not_made_of():
    assert isinstance(lively(), Policy) and not isinstance(lively(), HasValue)
    assert isinstance(lively(critic=True), HasValue)
    with pytest.raises(UserError, match="needs a Box"):
        FlowPolicy(Menu(WORLD, compass(4)), Flow(WORLD))

    class Wrong(nn.Module):
        chunk = 2

        def velocity(self, seen, x, t):
            return x.flatten(1)

    with pytest.raises(UserError, match=r"gave \[4, 4\]; it should have the shape of the actions"):
        FlowPolicy(WORLD, Wrong())
