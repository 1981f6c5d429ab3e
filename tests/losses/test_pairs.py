"""Reward difference prediction: numbers worked out by hand, the exact optimum, and what it degenerates into."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.losses.pairs import differences, proximal, proximal_reward_difference, reward_difference
from rlft.methods.kl_control import kl_control
from rlft.methods.prdp import prdp
from rlft.runtime.local import Local
from rlft.types import Problem
from tests.fakes import Table


def t(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_every_pair_stands_once_and_in_order():
    values = t([[5.0, 3.0, 10.0, 0.5], [0.0, 1.0, 3.0, 7.0]])
    assert differences(values).tolist() == [[2.0, -5.0, 4.5, -7.0, 2.5, 9.5], [-1.0, -3.0, -7.0, -2.0, -6.0, -4.0]]
    assert differences(t([[4.0]])).shape == (1, 0)


def test_reward_difference():
    # pairs of log-ratios .5, .9, -.4; of rewards 1, -.5, -1.5, over beta .5: 2, -1, -3
    loss = reward_difference(t([[0.7, 0.2, -0.2]]), t([[3.0, 2.0, 3.5]]), beta=0.5)
    assert_close(loss, t([[(0.5 - 2) ** 2, (0.9 + 1) ** 2, (0.4 + 3) ** 2]]))
    unscored = reward_difference(t([[0.7, 0.2, -0.2]]), t([[3.0, math.nan, 3.5]]), beta=0.5)
    assert unscored.isnan().tolist() == [[True, False, True]]


def test_it_is_zero_at_the_tilted_reference_and_only_there():
    """pi_ref exp(r/beta)/Z of six outcomes, whatever Z is and whatever a problem adds to its rewards."""
    generator = torch.Generator().manual_seed(3)
    reference = torch.randn(2, 6, generator=generator, dtype=torch.float64).log_softmax(1)
    rewards = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    best = (reference + rewards / 0.3).log_softmax(1)
    at_best = reward_difference(best - reference, rewards, beta=0.3)
    assert at_best.max() < 1e-24
    constants = t([[40.0], [-7.0]])
    assert reward_difference(best - reference, rewards + constants, beta=0.3).max() < 1e-24
    other = reward_difference(0 * reference, rewards, beta=0.3)
    assert other.min() > 1e-4
    assert_close(other, reward_difference(0 * reference, rewards + constants, beta=0.3))


def test_descent_ends_at_the_tilted_reference():
    reference, rewards = t([[0.1, 0.2, 0.3, 0.4]]).log(), t([[1.0, -0.5, 0.0, 0.8]])
    logits = reference.clone().requires_grad_()
    for _ in range(400):
        loss = reward_difference(logits.log_softmax(1) - reference, rewards, beta=0.7).mean()
        (slope,) = torch.autograd.grad(loss, logits)
        logits = (logits - 0.3 * slope).detach().requires_grad_()
    assert_close(logits.softmax(1), (reference + rewards / 0.7).softmax(1), atol=1e-9, rtol=0)
    assert (logits.softmax(1) - reference.exp()).abs().max() > 0.05


def test_proximal():
    logp = t([[-1.0, -2.0, -0.4]]).requires_grad_()
    held = proximal(logp, t([[-1.1, -1.5, -0.7]]), clip=0.2)
    # moved by .1, -.5, .3: inside, below, above
    assert_close(held.detach(), t([[-1.0, -1.7, -0.5]]))
    assert torch.autograd.grad(held.sum(), logp)[0].tolist() == [[1.0, 0.0, 0.0]]
    assert_close(proximal(logp, t([[9.0, 9.0, 9.0]]), clip=math.inf), logp)


def test_the_larger_loss_counts_and_has_the_gradient():
    """One decision a row, two rows, target Δr/beta = 2. All four cases, like those of PPO's clip."""
    rewards, old = t([[1.0, 0.0]]), t([[0.0, 0.0]])

    def case(logp):
        logp = t([logp]).requires_grad_()
        loss = proximal_reward_difference(logp, proximal(logp, old, clip=0.3), rewards, beta=0.5)
        return loss.item(), torch.autograd.grad(loss.sum(), logp)[0].tolist()[0]

    def close(found, loss, slope):
        assert_close(found[0], loss)
        assert_close(found[1], slope)

    close(case([0.2, 0.1]), (0.1 - 2) ** 2, [2 * (0.1 - 2), -2 * (0.1 - 2)])  # inside: both agree
    close(case([0.8, -0.5]), (0.6 - 2) ** 2, [0.0, 0.0])  # out of bounds towards the target: no pull
    close(case([-0.8, 0.5]), (-1.3 - 2) ** 2, [2 * (-1.3 - 2), -2 * (-1.3 - 2)])  # away from it: it is pulled back
    close(case([0.8, 0.0]), (0.3 - 2) ** 2, [0.0, -2 * (0.3 - 2)])  # one row held: the other still moves


def test_without_a_clip_it_is_plain():
    log_ratio, rewards = t([[0.7, 0.2, -0.2]]), t([[3.0, 2.0, 3.5]])
    held = proximal(log_ratio, t([[5.0, -5.0, 1.0]]), clip=math.inf)
    plain = reward_difference(log_ratio, rewards, beta=2.0)
    assert_close(proximal_reward_difference(log_ratio, held, rewards, beta=2.0), plain)
    near = proximal(log_ratio, t([[5.0, -5.0, 1.0]]), clip=0.1)
    assert (proximal_reward_difference(log_ratio, near, rewards, beta=2.0) > plain + 0.1).any()


def drawn(policy, group=4):
    """Rollouts of a policy that has left its reference, with rewards and everything a method reads."""
    rows = policy.sample([Problem(i, i) for i in range(3)], group, seed=1)
    rewards = torch.arange(len(rows), dtype=torch.float64).mul(2.3).sin()
    return rows.fill(rewards=rewards, logp_ref=torch.where(rows.mask, Table(seed=9).log_prob(rows).detach(), 0))


def gradient(method, policy, rows):
    advantage = method.advantage(rows, Local())
    rows = rows.fill(advantages=advantage[:, None].expand_as(rows.mask))
    total = method.updates[0].loss(policy, rows)
    return torch.autograd.grad(total.sum / total.weight, policy.logits)[0]


@pytest.mark.parametrize("clip", [0.2, math.inf])
def test_its_first_gradient_on_a_batch_is_that_of_kl_control(clip):
    """4/beta times: (Δl - Δr/beta)² over all pairs is the leave-one-out policy gradient of r - beta l."""
    policy = Table()
    rows = drawn(policy)
    found = gradient(prdp(beta=0.6, clip=clip), policy, rows)
    climbed = gradient(kl_control(beta=0.6), policy, rows)
    assert climbed.abs().max() > 0.01
    assert_close(found, 4 / 0.6 * climbed, atol=1e-12, rtol=0)


def test_a_problems_constant_changes_no_gradient():
    policy = Table()
    rows = drawn(policy)
    constants = torch.tensor([3.0, -50.0, 8.0], dtype=torch.float64).repeat_interleave(4)
    shifted = drawn(policy)
    shifted.rewards.add_(constants)
    method = prdp(beta=0.6, clip=0.1)
    assert_close(gradient(method, policy, rows), gradient(method, policy, shifted), atol=1e-9, rtol=0)


def test_a_row_without_a_reward_stands_in_no_pair():
    policy, method = Table(), prdp(beta=0.6, clip=0.1)
    rows = drawn(policy)
    rows.rewards[[1, 4, 5, 6]] = math.nan
    total = method.updates[0].loss(policy, rows)
    ratio = torch.where(rows.mask, policy.log_prob(rows) - rows.logp_ref, 0).sum(1)
    pairs = [(0, 2), (0, 3), (2, 3), (8, 9), (8, 10), (8, 11), (9, 10), (9, 11), (10, 11)]
    by_hand = sum((ratio[a] - ratio[b] - (rows.rewards[a] - rows.rewards[b]) / 0.6) ** 2 for a, b in pairs)
    assert_close(total.sum, by_hand)
    assert int(total.weight) == len(pairs)
