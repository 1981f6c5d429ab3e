"""Other people's flows: their direction of time and their type, and rows that do not depend on each other."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.environments.point_mass import PointMass
from rlft.policies.control.flow import Flow
from rlft.policies.flows.policy import FlowPolicy
from rlft.policies.flows.velocity import Foreign, HasVelocity, NoiseNet
from rlft.tasks.starts import Starts
from rlft.types import UserError

WORLD = PointMass(horizon=9)


class Theirs(nn.Module):
    """A network of float32, as others write them."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.body = nn.Sequential(nn.Linear(4 + 6 + 1, 32), nn.GELU(), nn.Linear(32, 6))

    def velocity(self, observation, actions, t):
        return self.body(torch.cat([observation, actions.flatten(1), t[:, None]], dim=1)).view_as(actions)


class Turned(nn.Module):
    """A flow of ours as one who has actions at 1 writes it."""

    def __init__(self, flow):
        super().__init__()
        self.flow = flow

    def velocity(self, observation, actions, t):
        return -self.flow.velocity(observation, actions, 1 - t)


def test_time_is_turned_around():
    flow = Flow(WORLD, width=8, chunk=3).double()
    draws = torch.Generator().manual_seed(0)
    seen, x, t = (torch.rand(5, *shape, generator=draws).double() for shape in ((4,), (3, 2), ()))
    turned = Foreign(Turned(flow), chunk=3, noise_at=0, block=2)
    assert_close(turned.velocity(seen, x, t), flow.velocity(seen, x, t), atol=1e-12, rtol=0)
    assert turned.velocity(seen, x, t).abs().max() > 1e-3
    assert isinstance(turned, HasVelocity) and isinstance(flow, HasVelocity)


def test_a_network_of_float32_keeps_the_promises():
    theirs = Theirs()
    policy = FlowPolicy(WORLD, Foreign(theirs, chunk=3, block=16), steps=4, noisy="one")
    starts = [Starts(WORLD).at(i) for i in range(5)]
    rows = policy.sample(starts, 3, seed=2)
    assert torch.equal(policy.log_prob(rows).detach(), rows.logp_old)
    assert torch.equal(policy.log_prob(rows[[7]]).detach()[0], rows.logp_old[7])
    assert torch.equal(policy.sample(starts[2:3], 3, seed=2).trace["states"], rows.trace["states"][6:9])
    policy.log_prob(rows).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in theirs.parameters())


def test_the_noise_net_starts_in_the_middle_and_sees_everything():
    net = NoiseNet(4, (3, 2), width=8)
    draws = torch.Generator().manual_seed(0)
    seen, x, t = (torch.rand(5, *shape, generator=draws).double() for shape in ((4,), (3, 2), ()))
    said = net(x, t, seen)
    assert said.shape == (5, 3, 2) and 0 < said.abs().max() < 0.1
    for changed in (net(x + 1, t, seen), net(x, t / 2, seen), net(x, t, seen + 1)):
        assert (changed - said).abs().max() > 1e-4


def test_what_is_no_flow():
    with pytest.raises(UserError, match="Linear has no velocity"):
        Foreign(nn.Linear(2, 2), chunk=1)
    with pytest.raises(UserError, match="noise_at 0 or 1"):
        Foreign(Theirs(), chunk=3, noise_at=1, block=0)
