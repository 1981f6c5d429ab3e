"""What newer methods put in the place of PPO's clip: values and gradients worked out by hand."""

import math

import torch
from torch.testing import assert_close

from rlft import losses


def t(rows):
    return torch.tensor(rows, dtype=torch.float64)


def gradient(loss, leaf):
    return torch.autograd.grad(loss.sum(), leaf)[0]


def test_token_of_sequence():
    logp, old = t([[-1.0, -2.0, -0.3]]).requires_grad_(), t([[-1.3, -1.5, -0.6]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    ratio = losses.sequence_ratio(logp, old, mask)
    token = losses.token_of_sequence(logp, ratio)
    s = math.exp((0.3 - 0.5 + 0.3) / 3)
    assert_close(token, t([[s, s, s]]))
    # d s_id / d logp_d is s for its own decision and 0 for the others
    weights = t([[2.0, 3.0, 5.0]])
    assert_close(gradient(token * weights, logp), s * weights)
    # with one weight for all, the mean over decisions has the row's gradient: s/3 for each
    assert_close(gradient(losses.token_of_sequence(logp, ratio).mean(1), logp), t([[s / 3] * 3]))
    assert_close(gradient(losses.sequence_ratio(logp, old, mask), logp), t([[s / 3] * 3]))


def test_geometric_ratio():
    log_ratio = t([[0.5, -0.9, 0.1], [0.5, -0.9, 7.0]]).requires_grad_()
    adv, mask = t([[2.0] * 3, [-2.0] * 3]), torch.tensor([[True, True, True], [True, True, False]])
    ratio = losses.geometric_ratio(log_ratio, adv, mask, low=0.3, high=0.2)
    # A > 0: .2 (held), -.9, .1 -> -.6/3; A < 0: .5, -.3 (held) -> .2/2
    assert_close(ratio, t([[math.exp(-0.2)], [math.exp(0.1)]]))
    a, b = math.exp(-0.2) / 3, math.exp(0.1) / 2
    assert_close(gradient(ratio, log_ratio), t([[0.0, a, a], [b, 0.0, 0.0]]))
    wide = losses.geometric_ratio(log_ratio, adv, mask, math.inf, math.inf)
    assert_close(wide, losses.sequence_ratio(log_ratio, 0 * log_ratio, mask))


def test_geometric_ratio_of_one_decision_is_ppos_clip():
    log_ratio = t([[0.5], [0.5], [-0.9], [-0.9], [0.1]])
    adv, mask = t([[2.0], [-2.0], [2.0], [-2.0], [1.0]]), torch.ones(5, 1, dtype=torch.bool)
    mine = -losses.geometric_ratio(log_ratio, adv, mask, low=0.3, high=0.2) * adv
    assert_close(mine, losses.ppo_clip(log_ratio.exp(), adv, 1 - math.exp(-0.3), math.exp(0.2) - 1))


def test_preserved_clip():
    # above and good, above and bad, below and bad, below and good, inside
    log_ratio = t([1.5, 1.5, 0.5, 0.5, 1.05]).log().requires_grad_()
    adv = t([2.0, -2.0, -3.0, 3.0, 4.0])
    loss = losses.preserved_clip(log_ratio.exp(), adv, low=0.1, high=0.3, below=0.5, above=0.7)
    assert_close(loss, losses.ppo_clip(log_ratio.exp(), adv, 0.1, 0.3))
    assert_close(loss, t([-2.6, 3.0, 2.7, -1.5, -4.2]))
    # -.7 1.3 2, 1.5 2, .5 .9 3, -.5 3, -1.05 4
    assert_close(gradient(loss, log_ratio), t([-1.82, 3.0, 1.35, -1.5, -4.2]))
    none = losses.preserved_clip(log_ratio.exp(), adv, 0.1, 0.3, 0.0, 0.0)
    assert_close(gradient(none, log_ratio), t([0.0, 3.0, 0.0, -1.5, -4.2]))


def test_shaped():
    logp = t([0.01, 0.4, 1.0]).log().requires_grad_()
    f = losses.shaped(logp, gamma=0.1)
    assert_close(f, t([1 / 11, 0.8, 1 / 1.1]))
    # p gamma / (p + gamma)^2
    assert_close(gradient(f, logp), t([0.001 / 0.0121, 0.04 / 0.25, 0.1 / 1.21]))
