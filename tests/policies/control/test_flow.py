"""Flow policies: the ODE in closed form, the loss by hand, a Gaussian learnt, and what a flow cannot be asked for."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from rlft.environments.menu import Menu, compass
from rlft.environments.point_mass import PointMass
from rlft.methods.reinforce import reinforce
from rlft.methods.sac import sac
from rlft.noise import normal, row_keys
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.flow import Flow
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.training.trainer import Trainer
from rlft.training.trainer import _check as check
from rlft.types import Policy, Problem, Savable, Showable, UserError
from rlft.types.acting import Acting, Central, Imitating, Proposing, Reparameterised

WORLD = PointMass(gust=0.2, horizon=70)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def lively(**settings):
    """A flow whose network says something: its last layer starts nearly silent."""
    policy = Flow(WORLD, **{"width": 16, "chunk": 2, "steps": 3, "seed": 4, **settings})
    with torch.no_grad():
        policy.net.weights[-1].mul_(60)
    return policy.double()


def test_euler_of_a_linear_velocity_in_closed_form():
    """dx/dt = c (x - m): K steps multiply the distance from m by (1 - c/K)^K."""
    policy, middle = lively(steps=4), torch.tensor([[0.3, -0.2], [0.1, 0.4]]).double()
    policy.velocity = lambda seen, x, t: 0.7 * (x - middle)
    noise = torch.tensor([[[0.5, -0.6], [0.2, 0.9]], [[-0.8, 0.1], [0.7, -0.3]]]).double()
    ends = policy.act(torch.zeros(2, 4).double(), noise)
    assert_close(ends, middle + (1 - 0.7 / 4) ** 4 * (noise - middle), atol=1e-14, rtol=0)
    assert policy.act(torch.zeros(2, 4).double(), 9 * noise).abs().max() == 1


def test_the_times_of_the_steps():
    policy, met = lively(steps=4), []
    policy.velocity = lambda seen, x, t: met.append(t.tolist()) or 0 * x
    policy.act(torch.zeros(1, 4).double(), torch.zeros(1, 2, 2).double())
    assert met == [[1.0], [0.75], [0.5], [0.25]]


def test_the_loss_by_hand():
    policy = lively()
    seen, action = (
        torch.randn(5, 4, generator=generator(1)).double(),
        torch.rand(5, 2, 2, generator=generator(2)).double(),
    )
    loss = policy.imitation(seen, action, generator(3))
    again = generator(3)
    t = torch.rand(5, generator=again, dtype=torch.float64)
    noise = torch.randn(5, 2, 2, generator=again, dtype=torch.float64)
    for i in range(5):
        here = ((1 - t[i]) * action[i] + t[i] * noise[i]).flatten()
        angle = math.pi * t[i] * torch.tensor([1.0, 2.0, 4.0]).double()
        given = torch.cat([seen[i], here, angle.sin(), angle.cos()])
        error = policy.net(given).view(2, 2) - (noise[i] - action[i])
        assert_close(loss[i], (error**2).sum(dim=1), atol=1e-12, rtol=0)
    assert loss.std() > 0.1


def test_a_flow_fitted_to_a_gaussian_reaches_its_moments():
    """One state, a correlated Gaussian of two numbers: mean, deviations and correlation of 4000 draws."""
    mean, std, tie = torch.tensor([0.2, -0.3]), torch.tensor([0.15, 0.25]), 0.8
    policy = Flow(WORLD, width=32, steps=20, seed=2)
    optimizer, chance = torch.optim.Adam(policy.parameters(), lr=5e-3), generator(0)
    for step in range(500):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - step / 500)
        z = torch.randn(256, 2, generator=chance)
        z = torch.stack([z[:, 0], tie * z[:, 0] + (1 - tie**2) ** 0.5 * z[:, 1]], dim=1)
        optimizer.zero_grad()
        policy.imitation(torch.zeros(256, 4), (mean + std * z)[:, None], chance).mean().backward()
        optimizer.step()
    with torch.no_grad():
        drawn = policy.propose(torch.zeros(1, 4), 4000, generator(1))[0, :, 0]
    assert_close(drawn.mean(dim=0), mean, atol=0.03, rtol=0)
    assert_close(drawn.std(dim=0), std, atol=0.03, rtol=0)
    assert float(torch.corrcoef(drawn.T)[0, 1]) == pytest.approx(tie, abs=0.08)


def test_proposals_are_what_it_does():
    """A proposal is the act of its own noise, and its gradient reaches the weights."""
    policy, seen = lively(), torch.randn(3, 4, generator=generator(1)).double()
    proposed = policy.propose(seen, 5, generator(6))
    noise = torch.randn(15, 2, 2, generator=generator(6), dtype=torch.float64).unflatten(0, (3, 5))
    assert_close(proposed[:, 4], policy.act(seen, noise[:, 4]), atol=1e-14, rtol=0)
    assert proposed.std(dim=1).min() > 0.05
    gradients = torch.autograd.grad(proposed.sum(), list(policy.parameters()))
    assert all(g.any() for g in gradients)


def test_a_row_is_the_same_whoever_draws_it():
    policy, task = lively(chunk=3), Starts(WORLD)
    asked = [task.at(i) for i in range(4)]
    whole, alone = policy.sample(asked, 3, seed=7), policy.sample([asked[2]], 3, seed=7)
    for one, other in zip(whole.outputs[6:9], alone.outputs, strict=True):
        assert_close(one.actions, other.actions, atol=1e-12, rtol=0)
        assert_close(one.observations, other.observations, atol=1e-12, rtol=0)
    assert len({tuple(e.actions.flatten().tolist()) for e in whole.outputs}) == 12
    assert not whole.mask.any() and whole.outputs[0].chunk == 3
    # also at decision 32 * 3, behind the first block of noise
    long = lively(chunk=1)
    row = long.sample(asked[:1], 1, seed=7).outputs[0]
    noise = normal(row_keys(asked[:1], 1, seed=7), torch.tensor([40]), (1, 2))[:, 0]
    assert_close(row.actions[40], long.act(row.observations[40:41], noise)[0, 0].detach(), atol=1e-12, rtol=0)


def test_what_it_can_and_what_it_cannot():
    policy = lively()
    for can in (Acting, Proposing, Imitating, Savable, Showable):
        assert isinstance(policy, can)
    for cannot in (Reparameterised, Central, Policy):
        assert not isinstance(policy, cannot)
    with pytest.raises(UserError, match=r"sac needs a policy that has proposals .*pa_rl.* Flow is not one"):
        Learner(policy, WORLD, [Phase(sac())])
    trainer = Trainer(Control(WORLD), reinforce(), Starts(WORLD), environment_reward)
    trainer.policy = policy
    with pytest.raises(UserError, match=r"reinforce needs a policy that can say how likely .* Flow is not one"):
        check(trainer)
    with pytest.raises(UserError, match="needs a Box"):
        Flow(Menu(WORLD, compass(4)))
    with pytest.raises(UserError, match="at least one step"):
        Flow(WORLD, steps=0)
    with pytest.raises(UserError, match="names its start"):
        policy.sample([Problem(0, "north")], 1, seed=0)


def test_it_is_evaluated_shown_and_saved(tmp_path):
    policy = lively()
    found = evaluate(policy, Starts(WORLD, split="test"), environment_reward, problems=3, samples=2)
    assert found.rewards.shape == (3, 2) and found.rewards.std() > 0
    json.dumps(policy.show(policy.sample([Starts(WORLD).at(0)], 1, seed=0).outputs[0]))
    policy.save(tmp_path)
    other = lively(seed=9)
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(policy.parameters(), other.parameters(), strict=True))
