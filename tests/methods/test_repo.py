"""RePo's page: its loss is Dreamer's with the picture's gradient taken away, and its bound adjusts itself."""

import functools

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.point_mass import PointMass
from rlft.losses.divergence import gaussian_kl
from rlft.methods.dreamer import dreamer
from rlft.methods.repo import repo
from rlft.methods.repo_align import repo_align
from rlft.offpolicy.dual import Dual
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import StateTanhGaussian
from rlft.worldmodels.imagination import Dreamer
from rlft.worldmodels.rssm import RSSM

WORLD = PointMass(horizon=8, gust=0.1)


def learner(method, lr=1e-3):
    policy = Dreamer(
        WORLD, RSSM(4, 2, deter=6, stoch=3, width=8), functools.partial(StateTanhGaussian, std=1.0), width=8
    )
    phases = [Phase(method, worlds=4, utd=0.25, warmup=24, anything=24)]
    one = Learner(policy, WORLD, phases, batch=8, interval=8, hidden=(8,), capacity=128, lr=lr)
    while one.drawn < 24:
        one.advance()
    return one


def fitted(method):
    """The model's loss on the same windows and noise, and its gradient in each part."""
    one = learner(method)
    windows = one.buffer.sample(8, torch.Generator().manual_seed(1), 6, 6, whole=True)
    fit = one.method.descents[0].loss(one.agent, windows, torch.Generator().manual_seed(2))
    model = one.agent.policy.model
    gradients = torch.autograd.grad(fit.loss, list(model.parameters()), allow_unused=True)
    return fit, dict(zip((name for name, _ in model.named_parameters()), gradients, strict=True))


def test_its_loss_is_dreamers_and_the_picture_moves_the_decoder_alone():
    ours, own = fitted(repo(beta=0.3, beta_lr=0.0, steps=6))
    theirs, other = fitted(dreamer(beta=0.3, steps=6))
    assert_close(ours.loss, theirs.loss)
    for name in own:
        same = name.startswith(("decoder", "reward", "going", "prior"))
        assert torch.allclose(own[name], other[name], atol=1e-7) is same, name


@pytest.mark.parametrize("eps", [1e-3, 1e3])
def test_the_weight_of_the_bound_follows_what_is_measured(eps):
    one = learner(repo(eps=eps, beta=0.1, beta_lr=0.05, steps=6))
    one.advance()
    assert one.updated == 1
    assert bool(one.agent.weight("beta") > 0.1) is (eps == 1e-3)


def test_dual_ascent_finds_the_weight_of_a_bound_that_is_known():
    """min 1/2 (m - 2)² with KL(N(m, 1) || N(0, 1)) = m²/2 ≤ 1/2: m = 1, and 2 - m = beta m gives beta = 1."""
    dual, m = Dual.at_most(0.5, start=0.01, lr=0.1), torch.zeros(1, requires_grad=True)
    steps = torch.optim.SGD([m], lr=0.1), torch.optim.SGD(dual.parameters(), lr=0.1)
    one = torch.ones(1)
    for _ in range(600):
        kl = gaussian_kl(m, one, 0 * one, one)
        (0.5 * (m - 2).square().sum() + dual.value * kl).backward()
        dual.pull(kl)
        for step in steps:
            step.step()
            step.zero_grad()
    assert_close(m.detach(), one, atol=1e-3, rtol=0)
    assert_close(dual.value, torch.tensor(1.0), atol=1e-3, rtol=0)


def test_alignment_moves_the_encoder_alone():
    one = learner(repo_align(steps=6))
    before = {name: value.clone() for name, value in one.agent.policy.named_parameters()}
    one.advance()
    moved = {name for name, value in one.agent.policy.named_parameters() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("model.encoder.") for name in moved)
