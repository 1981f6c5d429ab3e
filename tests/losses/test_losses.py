"""Losses and reductions: numbers worked out by hand, every argument different."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft import losses
from rlft.losses.surrogate import fixed_length, sample_mean, sample_sum, token_mean


def t(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_ppo_clip():
    ratio, adv = t([[1.5, 0.5], [1.5, 0.5]]), t([[1.0, 1.0], [-1.0, -1.0]])
    # A > 0: min(1.5, 1.3), min(.5, .9); A < 0: min(-1.5, -1.3), min(-.5, -.9)
    assert_close(losses.ppo_clip(ratio, adv, low=0.1, high=0.3), t([[-1.3, -0.5], [1.5, 0.9]]))
    assert losses.clipped(ratio, adv, low=0.1, high=0.3).tolist() == [[True, False], [False, True]]


def test_ppo_clip_degenerates():
    logp = t([[-0.3, -1.2]]).requires_grad_()
    adv = t([[0.7, -2.0]])
    grad = torch.autograd.grad(losses.ppo_clip((logp - logp.detach()).exp(), adv, 0.1, 0.3).sum(), logp)[0]
    plain = torch.autograd.grad(losses.policy_gradient(logp, adv).sum(), logp)[0]
    assert_close(grad, plain)  # at ratio 1 it is the score function
    assert plain.tolist() == [[-0.7, 2.0]]
    ratio = t([[3.0, 0.1]])
    assert_close(losses.ppo_clip(ratio, adv, math.inf, math.inf), -ratio * adv)


def test_kl_estimators():
    # d = 0, ln 2, -ln 2
    logp, ref = t([[0.0, -0.2, -1.0]]), t([[0.0, -0.2 - math.log(2), -1.0 + math.log(2)]])
    assert_close(losses.kl_k1(logp, ref), t([[0.0, math.log(2), -math.log(2)]]))
    assert_close(losses.kl_k2(logp, ref), t([[0.0, 0.240226506959, 0.240226506959]]))
    # exp(-d) - 1 + d: .5 - 1 + .693147, 2 - 1 - .693147
    assert_close(losses.kl_k3(logp, ref), t([[0.0, 0.193147180560, 0.306852819440]]))


def test_kl_estimators_against_the_exact_kl_and_its_gradient():
    logits = t([0.3, -0.5, 1.1, 0.0]).requires_grad_()
    ref = t([0.1, 0.4, 0.2, -0.9]).log_softmax(-1)
    logp = logits.log_softmax(-1)
    p = logp.exp()
    exact = (p * (logp - ref)).sum()
    for estimate in (losses.kl_k1, losses.kl_k3):
        assert_close((p * estimate(logp, ref)).sum(), exact)
    forward = torch.autograd.grad(exact, logits, retain_graph=True)[0]
    backward = torch.autograd.grad(-(ref.exp() * logp).sum(), logits, retain_graph=True)[0]

    def average_gradient(estimate):
        return torch.autograd.grad((p.detach() * estimate(logp, ref)).sum(), logits, retain_graph=True)[0]

    assert forward.abs().max() > 0.1
    assert_close(average_gradient(losses.kl_k1), torch.zeros(4, dtype=torch.float64))
    assert_close(average_gradient(losses.kl_k2), forward)
    assert_close(average_gradient(losses.kl_k3), backward)


def test_sequence_ratio():
    logp, old = t([[-1.0, -2.0, -9.0], [-0.5, -0.5, -0.5]]), t([[-1.3, -1.5, -1.0], [-0.9, -0.5, -0.2]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    # (.3 - .5)/2 = -.1; (.4 + 0 - .3)/3 = .0333
    assert_close(losses.sequence_ratio(logp, old, mask), t([[math.exp(-0.1)], [math.exp(0.1 / 3)]]))


def test_cispo_weight_has_no_gradient_and_two_bounds():
    ratio = t([[0.2, 1.0, 2.0]]).requires_grad_()
    weight = losses.cispo_weight(ratio, low=0.6, high=0.5)
    assert_close(weight, t([[0.4, 1.0, 1.5]]))
    assert not weight.requires_grad


def test_dpo():
    # beta (.9 - .4) = .05; -log sigmoid(.05) = log(1 + e^-.05)
    assert_close(losses.dpo(t([0.9]), t([0.4]), beta=0.1), t([math.log1p(math.exp(-0.05))]))
    assert_close(losses.dpo(t([0.3]), t([0.3]), beta=7.0), t([math.log(2)]))


def test_value_clip():
    # V 2, old 1, R 3, clip .25: max(1, (1.25 - 3)²) / 2; V 0 old 1 R .9: bounded .75: max(.81, .0225) / 2
    values, old, returns = t([2.0, 0.0]), t([1.0, 1.0]), t([3.0, 0.9])
    assert_close(losses.value_clip(values, old, returns, clip=0.25), t([1.75**2 / 2, 0.81 / 2]))
    assert_close(losses.value_clip(values, old, returns, clip=math.inf), (values - returns).square() / 2)


LOSS = t([[1.0, 2.0, math.inf], [4.0, 8.0, 16.0], [math.nan, 5.0, 5.0]])
MASK = torch.tensor([[True, True, False], [True, True, True], [False, False, False]])


@pytest.mark.parametrize(
    ("reduce", "total", "weight"),
    [
        (token_mean, 31.0, 5),
        (sample_mean, 1.5 + 28 / 3, 2),
        (sample_sum, 31.0, 2),
        (fixed_length(4), 31.0 / 4, 2),
    ],
)
def test_reductions(reduce, total, weight):
    result = reduce(LOSS, MASK)
    assert_close(result.sum, t(total))
    assert int(result.weight) == weight


def test_what_stands_off_the_mask_has_no_gradient():
    logp = t([[-1.0, -math.inf, -2.0]]).requires_grad_()
    mask = torch.tensor([[True, False, True]])
    for reduce in (token_mean, sample_mean, sample_sum, fixed_length(4)):
        (grad,) = torch.autograd.grad(reduce(logp * 3, mask).sum, logp)
        assert grad[0, 1] == 0
        assert (grad[0, ::2] > 0).all()
