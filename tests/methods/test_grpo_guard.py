"""The guarded ratio: by hand on a linear flow, in both of its forms, and what every method must do."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.methods.grpo_guard import grpo_guard
from rlft.models.schedules import VELOCITY, RectifiedFlow
from rlft.policies.stepwise.noise_rules import flow_sde
from rlft.policies.stepwise.stepwise import step_noise
from rlft.training.trainer import Trainer
from rlft.types import Displaced, UserError
from tests.fakes import Cards, Table, agreement
from tests.methods.test_draft import D, cut_and_stopped, linear
from tests.policies.stepwise.toy_diffusion import problems, small


def test_both_forms_of_the_ratio():
    """exp(mean z Δμ) = exp(s (log-ratio + mean Δμ² / 2s²)), of densities averaged over numbers."""
    flow = {"schedule": RectifiedFlow(), "prediction": VELOCITY, "event": "mean"}
    policy = small((2, 3), rule=flow_sde(0.7), dtype=torch.float64, **flow)
    rollouts = policy.sample(problems(0, 1, 2), 1, seed=5)
    assert float(policy.displaced(rollouts).detach().abs().max()) < 1e-12
    states, keys, label = (rollouts.trace[name] for name in ("states", "key", "condition"))
    old = [policy.step(states[:, k], torch.full((3,), k), label) for k in range(4)]
    with torch.no_grad():
        for weight in policy.parameters():
            weight += 0.05 * torch.randn(weight.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        found, logp = policy.displaced(rollouts), policy.log_prob(rollouts)
        for k in range(4):
            if not rollouts.mask[:, k].any():
                continue
            new = policy.step(states[:, k], torch.full((3,), k), label)
            apart, z, s = new.mean - old[k].mean, step_noise(keys, k, (2, 3)), old[k].std.flatten(1)[:, 0]
            by_hand = (z * apart).flatten(1).mean(1)
            assert_close(found[:, k], by_hand, rtol=0, atol=1e-12)
            lifted = logp[:, k] - rollouts.logp_old[:, k] + apart.square().flatten(1).mean(1) / (2 * s.square())
            assert_close(found[:, k], s * lifted, rtol=0, atol=1e-10)
    assert not found[~rollouts.mask].any() and float(found.abs().max()) > 1e-4


def test_the_loss_by_hand():
    """Steps of a quarter each; half of a row's steps are weighed alike, whatever their noise."""
    policy = linear(rule=flow_sde(0.5))
    assert policy.spans().tolist() == [1 / D] * D and isinstance(policy, Displaced)
    rollouts = policy.sample(problems(0, 1), 1, seed=3)
    rollouts = rollouts.fill(advantages=torch.tensor([[1.0], [-2.0]]).expand(2, D).clone())
    with torch.no_grad():
        policy.denoiser.a += 1e-3
    moved = policy.displaced(rollouts).detach()
    total = grpo_guard(clip=10.0).updates[0].loss(policy, rollouts)
    by_hand = -(moved.exp() * rollouts.advantages * D * rollouts.mask).sum(1) / rollouts.mask.sum(1)
    assert_close(total.sum.detach(), by_hand.sum(), rtol=0, atol=1e-12)
    assert total.weight == 2
    stopped = grpo_guard(clip=1e-9).updates[0].loss(policy, rollouts)
    count = ((moved > 1e-9) & (rollouts.advantages > 0)) | ((moved < -1e-9) & (rollouts.advantages < 0))
    assert float(stopped.means["clipped"][0]) == float((count & rollouts.mask).sum())
    assert float(stopped.peaks["ratio/first"]) == pytest.approx(float(moved.abs().max()), rel=1e-3)


def test_the_ratio_has_no_drift():
    """A plain ratio of densities has a mean below 1 once the means have moved; this one is around 1."""
    policy = linear(rule=flow_sde(0.5))
    rollouts = policy.sample(problems(*range(3)), 400, seed=3)
    with torch.no_grad():
        policy.denoiser.a += 0.6
    first = rollouts.mask[0].nonzero()[0, 0]
    with torch.no_grad():
        guarded = policy.displaced(rollouts)[:, first]
        plain = (policy.log_prob(rollouts) - rollouts.logp_old)[:, first]
    assert abs(float(guarded.mean())) < 3 * float(guarded.std()) / math.sqrt(1200)
    assert float(plain.mean()) < -3.5 * float(plain.std()) / math.sqrt(1200)


@pytest.mark.parametrize("method", [grpo_guard(clip=0.1), grpo_guard(clip=1e-3, epochs=2, minibatches=2)])
def test_micro_batches_and_a_stop_change_nothing(method):
    assert cut_and_stopped(method, 1e-5)[0]["ratio/first"] < 1e-12


def test_what_is_refused():
    with pytest.raises(UserError, match="method grpo_guard needs a policy that decides by Gaussian steps"):
        Trainer(Table(), grpo_guard(), Cards(), agreement)
