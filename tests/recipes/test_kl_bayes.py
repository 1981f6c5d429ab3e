"""The recipe's exact numbers: what its probe says is what the policy is, and the best moment of a run."""

import pytest
import torch
from torch.testing import assert_close

from rlft.measure.posterior import kl, posterior
from rlft.policies.language.enumeration import every_row, log_probs_of_rows
from rlft.recipes.kl_bayes import best_moments, kl_bayes
from rlft.worlds.words import Blank, second, vowel


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def test_the_probe():
    """At the start the policy is the prior; after a step each number is that of the new policy, the identity holds."""
    run = kl_bayes(steps=2, imitation=10, lr=0.1, beta=0.2)
    policy, probe = run.trainer.policy, run.probes[0]
    rows = every_row(policy, Blank().at(0))
    assert len(rows) == 1555
    before = log_probs_of_rows(policy, rows)
    assert_close(before.exp().sum().item(), 1.0, atol=1e-5, rtol=0)
    start = probe(policy)
    assert_close(start["kl_prior"], 0.0)
    run.trainer.step()
    found, now = probe(policy), log_probs_of_rows(policy, rows)
    rewards = vowel([], rows.outputs).double()
    target = posterior(before, rewards, 0.2)
    assert_close(found["reverse_kl"], kl(now, target).item())
    assert_close(found["forward_kl"], kl(target, now).item())
    assert_close(found["kl_prior"], kl(now, before).item())
    assert_close(found["entropy"], -(now.exp() * now).sum().item())
    assert_close(found["tv"], (now.exp() - target.exp()).abs().sum().item() / 2, atol=1e-5, rtol=0)
    assert_close(found["expected_reward"], (now.exp() * rewards).sum().item())
    assert_close(found["vowels"], found["expected_reward"])
    assert_close(found["second_mode"], sum(float(p) for p, o in zip(now.exp(), rows.outputs, strict=True) if second(o)))
    assert_close(found["objective"], found["expected_reward"] - 0.2 * found["kl_prior"])
    assert_close(found["shortfall"], 0.2 * found["reverse_kl"], atol=1e-5, rtol=0)  # float32: both sum to 1 to 1e-6
    assert found["kl_prior"] > 0.1
    assert abs(found["reverse_kl"] - found["forward_kl"]) > 1e-3


def test_moments_are_those_of_the_target():
    run = kl_bayes(steps=0, reward="moments", beta=1.0, imitation=10)
    rows = every_row(run.trainer.policy, Blank().at(0))
    rewards = run.trainer.reward(rows.problems, rows.outputs)
    share = posterior(log_probs_of_rows(run.trainer.policy, rows), rewards, 1.0).exp()
    assert_close((share * vowel([], rows.outputs)).sum().item(), 0.5, atol=1e-6, rtol=0)
    assert_close(sum(float(p) for p, o in zip(share, rows.outputs, strict=True) if second(o)), 0.5, atol=1e-6, rtol=0)


def test_only_the_output_layer_learns():
    run = kl_bayes(steps=1, trained="output", imitation=10)
    weights = {name: weight.clone() for name, weight in run.trainer.policy.named_parameters()}
    run.trainer.step()
    moved = [name for name, weight in run.trainer.policy.named_parameters() if not torch.equal(weight, weights[name])]
    assert moved == ["model.lm_head.weight"]


def test_the_best_moment():
    lines = [{"tv": 0.5, "reverse_kl": 2.0, "forward_kl": 1.0}, {"tv": 0.4, "reverse_kl": 3.0, "forward_kl": 1.5}]
    assert best_moments([], lines) == {"best/tv": 0.4, "best/reverse_kl": 2.0, "best/forward_kl": 1.0}
