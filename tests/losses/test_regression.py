"""Reg-GRPO's loss: its degenerate points, its optimum, its first gradient; numbers worked out by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.losses.regression import group_prediction, group_regression, slope
from rlft.methods.reg_grpo import reg_grpo, target
from rlft.training.trainer import Trainer
from tests.fakes import Cards, Table, agreement, gradients

nan = math.nan


def t(rows):
    return torch.tensor(rows, dtype=torch.float64)


def everyone(values):
    return torch.ones_like(values, dtype=torch.bool)


def test_by_hand():
    """rho 1, 2, 6: mean 3, variance 14/3. A as it comes."""
    rho, advantages = t([[1.0, 2.0, 6.0]]), t([[-1.0, 0.5, 0.25]])
    std = math.sqrt(14 / 3)
    assert_close(group_prediction(rho, everyone(rho), 0.1), t([[-2.0, -1.0, 3.0]]) / std)
    expected = [(-1 + 2 / std) ** 2, (0.5 + 1 / std) ** 2, (0.25 - 3 / std) ** 2]
    assert_close(group_regression(rho, advantages, everyone(rho), 0.1), t([expected]))
    # an epsilon above the spread divides instead of it
    assert_close(group_prediction(rho, everyone(rho), 5.0), t([[-0.4, -0.2, 0.6]]))


def test_rows_that_are_left_out_have_no_say():
    rho, advantages = t([[1.0, nan, 2.0, 6.0]]), t([[-1.0, nan, 0.5, 0.25]])
    valid = torch.tensor([[True, False, True, True]])
    rest = torch.tensor([0, 2, 3])
    assert_close(group_regression(rho, advantages, valid, 0.1)[:, rest],
                 group_regression(rho[:, rest], advantages[:, rest], everyone(rho[:, rest]), 0.1))  # fmt: skip
    assert group_regression(rho, advantages, valid, 0.1)[0, 1] == 0
    nobody = torch.zeros_like(valid)
    assert (group_regression(rho, advantages, nobody, 0.1) == 0).all()
    assert slope(rho, advantages, nobody).tolist() == [0.0]


@pytest.mark.parametrize(("a", "c"), [(0.11, -4.0), (1.0, 0.0), (30.0, 7.0)])
def test_any_line_with_a_positive_slope_is_an_optimum(a, c):
    advantages = target(t([[0.0, 1.0, 1.0, 0.5], [2.0, 7.0, 3.0, 1.0]]))
    rho = a * advantages + c
    assert_close(group_regression(rho, advantages, everyone(rho), 0.1), torch.zeros(2, 4).double())
    assert_close(slope(rho, advantages, everyone(rho)), t([a, a]))
    falling = group_regression(-rho, advantages, everyone(rho), 0.1)
    assert_close(falling, (2 * advantages).square())  # the worst there is: 4 on average


def test_below_epsilon_the_optimum_is_not_reached():
    """rho = a A with a = eps/4: the prediction is A/4, the loss 9/16 on average."""
    advantages = target(t([[0.0, 1.0, 1.0, 0.5]]))
    loss = group_regression(advantages / 40, advantages, everyone(advantages), 0.1)
    assert_close(loss.mean(), torch.tensor(9 / 16).double())


def test_the_optimum_of_the_regularised_reward_is_an_optimum():
    """rho* = R/lam - log Z over all five choices of a policy, and over any three of them."""
    rewards, lam = t([0.3, -1.0, 2.0, 0.0, 0.7]), 0.37
    old = t([0.1, 0.4, 0.2, -0.9, 1.0]).log_softmax(0)
    log_z = (old + rewards / lam).logsumexp(0)
    best = (old + rewards / lam).log_softmax(0)
    rho = (best - old)[None]
    assert_close(rho, rewards[None] / lam - log_z)
    for rows in ([0, 1, 2, 3, 4], [4, 1, 3]):
        advantages = target(rewards[None, rows])
        assert_close(group_prediction(rho[:, rows], everyone(advantages), 0.1), advantages)
        assert_close(slope(rho[:, rows], advantages, everyone(advantages)), rewards[rows].std(correction=0)[None] / lam)


def test_two_rows_predict_one_whatever_the_gap():
    for gap in (0.3, 5.0):
        rho = t([[1.0, 1.0 + gap]])
        assert_close(group_prediction(rho, everyone(rho), 0.1), t([[-1.0, 1.0]]))
    assert reg_grpo().min_group == 3


def test_first_gradient_is_the_policy_gradient_times_two_over_epsilon():
    """At pi = pi_old: loss 1, gradient -(2/eps) mean A grad log pi, for two values of eps; nothing infinite."""
    logits = t([[0.3, -0.5, 1.1, 0.0], [0.1, 0.9, -0.2, 0.4]]).requires_grad_()
    choices = torch.tensor([[0, 2, 1, 2, 3], [3, 3, 0, 1, 2]])
    advantages = target(t([[0.0, 1.0, 1.0, 0.5, 0.2], [2.0, 7.0, 3.0, 1.0, 1.0]]))
    logp = logits.log_softmax(-1).gather(1, choices)
    valid = everyone(advantages)
    (policy_gradient,) = torch.autograd.grad((advantages * logp).mean(), logits, retain_graph=True)
    assert policy_gradient.abs().max() > 0.01
    for epsilon in (0.1, 0.003):
        loss = group_regression(logp - logp.detach(), advantages, valid, epsilon).mean()
        assert_close(loss, torch.tensor(1.0).double())
        (grad,) = torch.autograd.grad(loss, logits, retain_graph=True)
        assert_close(grad, -2 / epsilon * policy_gradient)


def test_gradient_where_the_spread_counts():
    """Beyond epsilon the divisor is the spread, held fixed: 2/G/std sum (A_theta - A) d rho, by finite differences."""
    rho = t([[0.2, -0.9, 1.5, 0.3]]).requires_grad_()
    advantages = target(t([[0.0, 1.0, 1.0, 0.5]]))
    (grad,) = torch.autograd.grad(group_regression(rho, advantages, everyone(advantages), 0.1).mean(), rho)
    std = rho.detach().std(correction=0)
    error = (rho.detach() - rho.detach().mean()) / std - advantages
    assert_close(grad, 2 / 4 / std * error)  # the errors of a group add up to 0, so centring adds nothing
    assert grad.abs().min() > 1e-3


def test_targets():
    """Population deviation; equal rewards and fewer than three scored rows leave the group out."""
    rewards = t([[1.0, 2.0, 6.0, nan], [3.0, 3.0, 3.0, 3.0], [1.0, 2.0, nan, nan], [0.3 + 1e-9, 0.3, 0.3, 0.3]])
    found = target(rewards)
    assert_close(found[0], t([-2.0, -1.0, 3.0, nan]) / math.sqrt(14 / 3), equal_nan=True)
    assert found[1:].isnan().all()


def make(method, reward=agreement, **settings):
    given = {"prompts": 4, "group": 4, "lr": 0.05, "seed": 3, "max_grad_norm": 1e9, **settings}
    return Trainer(Table(), method, Cards(), reward, **given)


def test_groups_of_equal_rewards_are_left_out():
    def half(problems, outputs):
        return [float(row % 3 + problem.index) if row < 8 else 0.5 for row, problem in enumerate(problems)]

    trainer = make(reg_grpo(), half)
    trainer.advance()
    assert trainer.pending is not None
    assert trainer.pending.mask[:8].any(1).all() and not trainer.pending.mask[8:].any()
    assert (trainer.pending.advantages[:8] != 0).any()
    still = make(reg_grpo(), lambda problems, outputs: [1.0] * len(problems))
    start = still.policy.logits.detach().clone()
    assert "loss" not in still.step()
    assert torch.equal(still.policy.logits, start)


def test_the_first_loss_is_one_and_then_the_fit_gets_better():
    """Many small updates of one batch: the loss falls towards what a table can fit, the slope rises from 0."""
    log = [make(reg_grpo(epochs=epochs), lr=0.02).step() for epochs in (1, 12)]
    assert_close(log[0]["loss"], 1.0, atol=1e-6, rtol=0)  # rewards are float32
    assert log[0]["slope"] == 0
    assert log[1]["loss"] < 0.8 and log[1]["slope"] > 0.1
    assert log[0]["ratio/first"] == log[1]["ratio/first"] == 0


def test_the_kl_is_that_of_grpo():
    """At the second update of a step its gradient is added with weight beta, per decision and row."""
    grads = []
    for beta in (0.0, 0.7):
        trainer = make(reg_grpo(beta=beta, epochs=2), watch_kl=True)
        held = gradients(trainer.policy.logits)
        for _ in range(3):
            trainer.advance()
        grads.append(held[-1])
    assert (grads[0] - grads[1]).abs().max() > 1e-3
