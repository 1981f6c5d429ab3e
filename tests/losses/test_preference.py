"""Losses of a better and a worse answer, by hand. DPO's are in test_losses."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.losses.preference import bradley_terry, focal_ranking, maximum_likelihood_irl


def test_bradley_terry():
    """-log sigmoid of 0, of log 3 and of -log 3: log 2, log 4/3, log 4."""
    better, worse = torch.tensor([1.5, math.log(3), 2.0]), torch.tensor([1.5, 0.0, 2 + math.log(3)])
    found = bradley_terry(better, worse)
    assert found.tolist() == pytest.approx([math.log(2), math.log(4 / 3), math.log(4)], rel=1e-6)
    torch.testing.assert_close(bradley_terry(better + 7, worse + 7), found)


def test_its_gradient_raises_the_better_and_lowers_the_worse():
    """By the probability of the mistake, sigmoid(worse - better) = 1/4."""
    better, worse = (torch.tensor(value, requires_grad=True) for value in (math.log(3), 0.0))
    bradley_terry(better, worse).backward()
    assert better.grad.item() == pytest.approx(-0.25, rel=1e-6)
    assert worse.grad.item() == pytest.approx(0.25, rel=1e-6)


def test_inverse_rl_is_0_at_equal_rewards_and_knows_no_constant():
    demonstrated, drawn = torch.tensor([1.0, 3.0]).double(), torch.tensor([[1.0, 1.0], [2.0, 4.0]]).double()
    found = maximum_likelihood_irl(demonstrated, drawn, beta=2.0)
    assert_close(found, torch.tensor([0.0, math.log((math.exp(1) + math.exp(2)) / 2) - 1.5]).double())
    assert_close(maximum_likelihood_irl(demonstrated + 5, drawn + 5, beta=2.0), found)
    # the demonstration among the rows, and one beside it: Bradley and Terry's, less log 2
    both = torch.stack([demonstrated, drawn[:, 0]], 1)
    expected = bradley_terry(demonstrated, drawn[:, 0]) - math.log(2)
    assert_close(maximum_likelihood_irl(demonstrated, both), expected)


def test_its_gradient_is_what_is_demonstrated_less_what_the_best_policy_does():
    """Three answers, of a uniform reference, so that drawing each once is its whole distribution."""
    rewards = torch.tensor([0.3, -0.5, 1.1], dtype=torch.float64, requires_grad=True)
    shown, beta = torch.tensor([0.5, 0.25, 0.25]).double(), 0.7
    loss = (shown * maximum_likelihood_irl(rewards, rewards.expand(3, 3), beta)).sum()
    (gradient,) = torch.autograd.grad(loss, rewards)
    assert_close(gradient, ((rewards / beta).softmax(0) - shown).detach() / beta)
    # zero where the policy does what is demonstrated
    right = (beta * shown.log()).requires_grad_()
    loss = (shown * maximum_likelihood_irl(right, right.expand(3, 3), beta)).sum()
    assert_close(torch.autograd.grad(loss, right)[0], torch.zeros(3).double())


def test_focal_ranking():
    """Exponent 0 is Bradley and Terry's, bit for bit; at p = 3/4 it is half, with 2 a quarter, of it; below 1/2 all."""
    better, worse = torch.tensor([math.log(3), 0.0, 0.0]), torch.tensor([0.0, 0.0, math.log(3)])
    plain = bradley_terry(better, worse)
    assert torch.equal(focal_ranking(better, worse, 0.0), plain)
    assert (focal_ranking(better, worse, 1.0) / plain).tolist() == pytest.approx([0.5, 1, 1], rel=1e-6)
    assert (focal_ranking(better, worse, 2.0) / plain).tolist() == pytest.approx([0.25, 1, 1], rel=1e-6)


def test_focal_ranking_s_gradient():
    """At exponent 0 that of Bradley and Terry; far in order there is none, far out of order it is whole."""
    for margin, gamma, expected in ((math.log(3), 0.0, -0.25), (40.0, 2.0, 0.0), (-40.0, 2.0, -1.0)):
        better = torch.tensor(margin, requires_grad=True)
        focal_ranking(better, torch.tensor(0.0), gamma).backward()
        assert better.grad.item() == pytest.approx(expected, abs=1e-6)
