"""What methods say they degenerate into, weight for weight, and that they are something else elsewhere."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.methods.ce_gppo import ce_gppo
from rlft.methods.clip_cov import clip_cov
from rlft.methods.dapo import dapo
from rlft.methods.dapo_filtered import dapo_filtered
from rlft.methods.gmpo import gmpo
from rlft.methods.grpo import grpo
from rlft.methods.gspo import gspo
from rlft.methods.gspo_token import gspo_token
from rlft.methods.kl_cov import kl_cov
from rlft.methods.ppo import ppo
from rlft.methods.tricks import tricks
from rlft.methods.vapo import vapo
from rlft.training.trainer import Trainer
from tests.fakes import Cards, Table, agreement, gradients

TWICE = {"epochs": 2, "minibatches": 2}
PLAIN = tricks(std="group", low=0.1, high=0.1, **TWICE)


def trained(method, decisions=3, steps=3, reward=agreement):
    table, cards = Table(decisions=decisions), Cards(decisions=decisions)
    trainer = Trainer(table, method, cards, reward, prompts=4, group=4, lr=0.1, seed=3, max_grad_norm=1e9)
    log = list(trainer.run(steps))
    return torch.cat([p.detach().flatten() for p in trainer.policy.parameters()]), log


SAME = {
    "kl_cov": (kl_cov(share=0.0, clip=0.1, **TWICE), PLAIN),
    "clip_cov": (clip_cov(share=0.0, low=0.1, high=0.1, **TWICE), PLAIN),
    "ce_gppo": (ce_gppo(0.0, 0.0, low=0.1, high=0.1, **TWICE), PLAIN),
    "vapo": (
        vapo(lam=0.8, critic_lam=0.8, low=0.1, high=0.1, imitate=0.0, gamma=0.9, minibatches=2),
        ppo(clip=0.1, lam=0.8, gamma=0.9, minibatches=2),
    ),
}
OTHER = {
    "kl_cov": kl_cov(share=0.2, clip=0.1, **TWICE),
    "clip_cov": clip_cov(share=0.2, lower=0.0, low=0.1, high=0.1, **TWICE),
    "ce_gppo": ce_gppo(0.5, 0.7, low=0.1, high=0.1, **TWICE),
    "vapo": vapo(lam=0.8, critic_lam=0.8, low=0.1, high=0.1, imitate=0.1, gamma=0.9, minibatches=2),
}


@pytest.mark.parametrize("name", SAME)
def test_without_what_is_its_own_it_is_the_other(name):
    (mine, log), (plain, other) = (trained(method) for method in SAME[name])
    assert_close(mine, plain, atol=1e-12, rtol=0)
    assert log[-1]["clipped"] == other[-1]["clipped"] > 0
    assert (trained(OTHER[name])[0] - plain).abs().max() > 1e-3


def test_gmpo_of_one_decision_is_grpo():
    bounds = {"low": 1 - math.exp(-0.1), "high": math.exp(0.2) - 1}
    mine, log = trained(gmpo(0.1, 0.2, **TWICE), decisions=1)
    other, _ = trained(tricks(std="group", aggregate="sequence", **bounds, **TWICE), decisions=1)
    assert_close(mine, other, atol=1e-12, rtol=0)
    assert log[-1]["clipped"] > 0
    longer = (gmpo(0.1, 0.2, **TWICE), tricks(std="group", aggregate="sequence", **bounds, **TWICE))
    assert (trained(longer[0])[0] - trained(longer[1])[0]).abs().max() > 1e-3


def test_gmpo_without_bounds_is_gspo():
    wide = (math.inf, math.inf)
    assert_close(trained(gmpo(*wide, **TWICE))[0], trained(gspo(*wide, **TWICE))[0], atol=1e-12, rtol=0)


def by_decision(problems, outputs):
    """One for each decision of the answer, where it is made."""
    right = torch.zeros(len(problems), 3, dtype=torch.float64)
    for row, (problem, output) in enumerate(zip(problems, outputs, strict=True)):
        for d, made in enumerate(output):
            right[row, d] = float(made == problem.answer[d])
    return right


def test_gspo_token_is_gspo_where_the_reward_comes_at_the_end():
    mine, log = trained(gspo_token(0.05, 0.07, **TWICE))
    other, same = trained(gspo(0.05, 0.07, **TWICE))
    assert_close(mine, other, atol=1e-12, rtol=0)
    assert log[-1]["clipped"] == same[-1]["clipped"] > 0
    apart = [trained(method(0.05, 0.07, **TWICE), reward=by_decision)[0] for method in (gspo_token, gspo)]
    assert (apart[0] - apart[1]).abs().max() > 1e-3


def test_first_gradients():
    """At ratio 1 every clip is open: GMPO, GSPO-token and GRPO pull alike, and so do CE-GPPO and KL-Cov."""

    def first(method):
        trainer = Trainer(Table(), method, Cards(), agreement, prompts=4, group=4, lr=0.1, seed=3, max_grad_norm=1e9)
        held = gradients(trainer.policy.logits)
        trainer.step()
        return held[0]

    rows, tokens = first(grpo(beta=0.0)), first(tricks(std="group"))
    assert_close(first(gmpo()), rows, atol=1e-12, rtol=0)
    assert_close(first(gspo_token()), rows, atol=1e-12, rtol=0)
    assert_close(first(ce_gppo()), tokens, atol=1e-12, rtol=0)
    assert_close(first(kl_cov()), tokens, atol=1e-12, rtol=0)
    assert (first(clip_cov(share=0.5, lower=-9.0)) - tokens).abs().max() > 1e-3


def test_dapo_filters_what_was_cut_off():
    """A row of three decisions was ended by the limit: it has no gradient, and its group knows its reward."""

    def credited(method):
        trainer = Trainer(Table(), method, Cards(), agreement, prompts=4, group=4, seed=3)
        trainer.advance()
        return trainer.pending

    plain, filtered = credited(dapo(rounds=1)), credited(dapo_filtered(3, rounds=1))
    cut = plain.mask.sum(1) >= 3
    assert 0 < cut.sum() < len(cut)
    assert not filtered.mask[cut].any() and torch.equal(filtered.mask[~cut], plain.mask[~cut])
    assert torch.equal(filtered.advantages[~cut], plain.advantages[~cut])
    assert torch.equal(credited(dapo_filtered(4, rounds=1)).advantages, plain.advantages)
