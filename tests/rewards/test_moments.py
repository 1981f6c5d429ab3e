"""Weights of features fitted to moments: closed forms, and the nearest distribution that has them."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.measure.posterior import kl
from rlft.rewards.moments import fitted, moments
from rlft.types import Problem, UserError


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_one_feature_is_a_log_odds():
    """A feature that 1 in 5 has, asked for in 1 of 2: odds 1/4 to 1, so lambda = ln 4; in 1 of 10: ln (1/9 : 1/4)."""
    phi = t(0, 0, 0, 0, 1)[:, None]
    assert_close(fitted(phi, t(0.5)), t(math.log(4)))
    assert_close(fitted(phi, t(0.1)), t(math.log(4 / 9)))
    assert_close(fitted(phi, t(0.2)), t(0.0))
    # listed once each with their log-probabilities instead
    assert_close(fitted(t(0, 1)[:, None], t(0.5), t(0.8, 0.2).log()), t(math.log(4)))
    assert fitted(phi.float(), torch.tensor([0.5])).dtype == torch.float64


def test_samples_of_another_policy_are_reweighted():
    """Half of q's samples have the feature, a tenth of pi0's: log pi0/q is ln 0.2 on them and ln 1.8 off them."""
    phi = t(1, 1, 0, 0)[:, None]
    weights = torch.where(phi[:, 0] == 1, math.log(0.2), math.log(1.8))
    assert_close(fitted(phi, t(0.5), weights), t(math.log(9)))


def test_several_moments_and_no_other_distribution_is_nearer():
    generator = torch.Generator().manual_seed(0)
    phi = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    before = torch.randn(40, generator=generator, dtype=torch.float64).log_softmax(0)
    wanted = t(0.9, -0.7, 0.4)
    lam = fitted(phi, wanted, before)
    after = (before + phi @ lam).log_softmax(0)
    assert_close(after.exp() @ phi, wanted, atol=1e-9, rtol=0)
    assert (before.exp() @ phi - wanted).abs().min() > 0.1
    # a step along the moments and the total keeps them, and costs
    constraints = torch.cat([phi.T, torch.ones(1, 40, dtype=torch.float64)])
    away = torch.linalg.svd(constraints).Vh[-1]
    for sign in (1, -1):
        other = after.exp() + sign * 1e-3 * after.exp().min() * away / away.abs().max()
        assert_close(other @ phi, wanted, atol=1e-9, rtol=0)
        assert kl(other.log(), before) > kl(after, before)


def test_features_that_repeat_one_another_share_the_weight():
    """phi and 2 phi with lambda_1 + 2 lambda_2 = ln 4: the shortest is (1, 2) ln 4 / 5."""
    phi = t(0, 0, 0, 0, 1)[:, None] * t(1, 2)
    assert_close(fitted(phi, t(0.5, 1.0)), t(1, 2) * math.log(4) / 5)


@pytest.mark.parametrize("wanted", [1.2, 1.0, 0.0, -0.5])
def test_moments_out_of_reach_are_refused(wanted):
    with pytest.raises(UserError, match=r"no finite weights give the moments .*range from \[0.0\] to \[1.0\]"):
        fitted(t(0, 0, 1)[:, None], t(wanted))


def test_moments_that_are_reached_one_by_one_and_not_together_are_refused():
    """Of two features that never stand together each can be in 0.7 of the samples, both cannot."""
    phi = t(1, 0, 0, 1, 0, 0).reshape(3, 2)
    assert_close(fitted(phi, t(0.7, 0.2)), t(math.log(7), math.log(2)))
    with pytest.raises(UserError, match="no finite weights"):
        fitted(phi, t(0.7, 0.7))


def test_the_reward():
    """lambda · phi, each argument another: (1, 2) · (3, -1) = 1, (0, 5) · (3, -1) = -5."""
    reward = moments(lambda problems, outputs: torch.tensor(outputs), t(3, -1))
    assert_close(reward([Problem(0, "")] * 2, [[1.0, 2.0], [0.0, 5.0]]), t(1.0, -5.0))
