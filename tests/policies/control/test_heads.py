"""Heads and network of control policies: densities by quadrature, by torch.distributions and by hand."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, TanhTransform, TransformedDistribution
from torch.testing import assert_close

from rlft.environments.menu import Menu, compass
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Box, Discrete
from rlft.models.mlp import MLP
from rlft.policies.control.heads import tanh_gaussian_log_prob
from rlft.policies.control.policy import Categorical, Control, TanhGaussian
from rlft.types import Problem, UserError


def test_tanh_gaussian_integrates_to_one():
    a = torch.linspace(-1, 1, 400_001, dtype=torch.float64)[1:-1, None]
    for mean, std in ((0.4, 0.6), (-1.1, 0.35), (0.0, 0.9)):
        logp = tanh_gaussian_log_prob(torch.full_like(a, mean), torch.full_like(a, math.log(std)), a.atanh())
        assert_close(logp.exp().sum() * 5e-6, torch.tensor(1.0).double(), atol=1e-6, rtol=0)


def test_tanh_gaussian_is_torch_distributions_own():
    generator = torch.Generator().manual_seed(0)
    mean, log_std, z = torch.randn(3, 50, 4, generator=generator, dtype=torch.float64)
    u = mean + log_std.exp() * z.clamp(-1.5, 1.5)
    u = u.clamp(-4, 4)  # atanh(tanh(u)), which the reference needs, has lost half its digits beyond
    reference = TransformedDistribution(Independent(Normal(mean, log_std.exp()), 1), TanhTransform())
    ours = tanh_gaussian_log_prob(mean, log_std, u)
    assert_close(ours, reference.log_prob(u.tanh()), atol=1e-9, rtol=1e-9)
    assert ours.std() > 1


def test_tanh_gaussian_far_out():
    # log(1 - tanh²u) -> log 4 - 2|u|, where 1 - tanh² itself is 0
    for u, dtype in ((30.0, torch.float32), (-300.0, torch.float64)):
        at = torch.tensor([[u]], dtype=dtype)
        logp = tanh_gaussian_log_prob(at - 0.5, torch.full_like(at, math.log(0.25)), at)
        normal = -0.5 * 4 - math.log(0.25) - 0.5 * math.log(2 * math.pi)
        assert_close(logp, torch.tensor([normal - (math.log(4) - 2 * abs(u))], dtype=dtype), atol=0, rtol=1e-6)


def test_gaussian_draws_have_the_moments_they_are_scored_with():
    head = TanhGaussian(Box((-2.0, 0.0), (2.0, 10.0)), 1, std=0.3).double()
    noise = head.noise(torch.arange(20_000), torch.tensor([4]))[:, 0]
    mean = torch.tensor([0.5, -0.2]).double()
    u = head.draw(mean.expand(20_000, 2), noise)[:, 0]
    assert_close(u.mean(dim=0), mean, atol=4 * 0.3 / 20_000**0.5, rtol=0)
    assert_close(u.std(dim=0), torch.full((2,), 0.3).double(), rtol=4 / 40_000**0.5, atol=0)
    assert_close(head.mode(mean[None])[0, 0], mean)
    assert_close(
        head.action(mean[None, None])[0, 0], torch.tensor([2 * math.tanh(0.5), 5 + 5 * math.tanh(-0.2)]).double()
    )


def test_categorical_by_hand():
    head = Categorical(Discrete(3), 2)
    chances = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]], dtype=torch.float64)
    outputs = (chances.log() + torch.tensor([[1.0], [-2.0]])).flatten()[None]
    for noise, picked in (
        ((0.1, 0.1), (0, 0)),
        ((0.21, 0.65), (1, 1)),
        ((0.69, 0.71), (1, 2)),
        ((0.71, 1.0), (2, 2)),
    ):
        decision = head.draw(outputs, torch.tensor([noise]).double())
        assert decision[0, :, 0].tolist() == list(picked)
        expected = torch.stack([chances[0, picked[0]], chances[1, picked[1]]]).log()
        assert_close(head.log_prob(outputs, decision)[0], expected, atol=1e-12, rtol=0)
    assert head.mode(outputs)[0, :, 0].tolist() == [1, 0]
    drawn = head.draw(outputs.expand(20_000, -1), head.noise(torch.arange(20_000), torch.tensor([7]))[:, 0])
    shares = torch.stack([(drawn[..., 0] == a).double().mean(dim=0) for a in range(3)], dim=1)
    assert ((shares - chances).abs() < 4 * (chances * (1 - chances) / 20_000).sqrt()).all()
    first, second = drawn[:, 0, 0].double(), drawn[:, 1, 0].double()
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 4 / 20_000**0.5


def test_every_action_of_every_chunk_has_noise_of_its_own():
    for head in (Categorical(Discrete(3), 2), TanhGaussian(Box((-1.0, -1.0), (1.0, 1.0)), 2)):
        noise = head.noise(torch.tensor([4, 9]), torch.arange(10, 16))
        assert noise.shape[:3] == (2, 6, 2)
        assert len(noise.unique()) == noise.numel()
        assert torch.equal(head.noise(torch.tensor([9]), torch.tensor([12]))[0, 0], noise[1, 2])


def test_a_head_is_for_its_space():
    with pytest.raises(UserError, match="Categorical"):
        Control(Menu(PointMass(), compass(9)), head=TanhGaussian)
    with pytest.raises(UserError, match="TanhGaussian"):
        Control(PointMass(), head=Categorical)


def test_bad_arguments_say_so():
    with pytest.raises(UserError, match="at least 1"):
        Control(PointMass(), chunk=0)
    with pytest.raises(UserError, match="names its start"):
        Control(PointMass()).sample([Problem(0, "north")], 1, seed=0)


def test_an_action_at_the_bound_has_a_finite_density():
    head = TanhGaussian(Box((-2.0,), (2.0,)), 1)
    u = head.decision(torch.tensor([[[2.0]], [[-2.0]], [[1.0]]]).double())
    assert_close(u.flatten(), torch.tensor([6.10303, -6.10303, 0.549306]).double(), atol=1e-4, rtol=0)


def test_a_network_computes_in_the_dtype_of_its_input():
    net = MLP([3, 50, 50, 2], seed=4)
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second, third = (
        (w.detach().double(), b.detach().double()) for w, b in zip(net.weights, net.biases, strict=True)
    )
    expected = ((x @ first[0].T + first[1]).tanh() @ second[0].T + second[1]).tanh() @ third[0].T + third[1]
    assert_close(net(x), expected, atol=1e-14, rtol=0)
    assert net(x.float()).dtype == torch.float32
    net(x).sum().backward()
    assert net.weights[0].grad.dtype == torch.float32
    square = second[0] @ second[0].T
    assert_close(square, 2 * torch.eye(50).double(), atol=1e-5, rtol=0)
