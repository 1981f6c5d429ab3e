"""Imitation first, then reinforcement: each stage is what it would be alone, and one run holds both."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.collect.taught import taught_first
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.methods.sft_grpo import sft_grpo
from rlft.types import UserError
from tests.collect.test_hardest import trainer, weights


def test_first_it_is_sft():
    """With as many demonstrations as sft, weight for weight; and no row is drawn."""
    both, alone = trainer(sft_grpo(taught=3), lr=0.2), trainer(sft(), lr=0.2)
    start = weights(both).clone()
    for _ in range(3):
        metrics, other = both.step(), alone.step()
        assert torch.equal(weights(both), weights(alone))
        assert metrics["loss/demonstrations"] == other["loss"] and metrics["updates"] == 1
        assert metrics["rows/demonstrated"] == 4 and "rows/drawn" not in metrics
        assert not {"loss", "kl", "advantage/abs", "clipped"} & set(metrics)
    assert (weights(both) - start).abs().max() > 0.1
    assert not both.optimizers["policy"].state_dict()["state"]


def test_then_it_is_grpo():
    """From the weights of the first stage, with an optimiser of its own, on the problems that follow."""
    both, alone = trainer(sft_grpo(taught=2, size=3, beta=0.2)), trainer(grpo(beta=0.2))
    reference = weights(alone).clone()
    both.step(), both.step()
    alone.policy.load_state_dict(both.policy.state_dict())
    alone.stream.load_state_dict(both.stream.state_dict())
    assert both.stream.position == 6
    for _ in range(3):
        metrics, other = both.step(), alone.step()
        assert torch.equal(weights(both), weights(alone))
        assert metrics["kl"] == other["kl"] and "rows/demonstrated" not in metrics
    assert_close(torch.cat([p.flatten() for p in both.reference.parameters()]), reference, atol=0, rtol=0)
    assert abs(metrics["kl"]) > 1e-3


def test_without_a_first_stage_it_is_grpo_draw_for_draw():
    plain, both = trainer(grpo(beta=0.0)), trainer(sft_grpo(taught=0))
    for _ in range(3):
        plain.step(), both.step()
        assert torch.equal(weights(plain), weights(both))


def test_the_rates_of_the_stages():
    slow, fast = (trainer(sft_grpo(taught=1, demonstration_lr=rate)) for rate in (0.5, 1.5))
    start = weights(slow).clone()
    slow.step(), fast.step()
    assert_close(weights(fast) - start, 3 * (weights(slow) - start), atol=1e-12, rtol=0)


def test_other_ways_to_draw_come_second():
    def twice(source):
        return source.draw(2 * source.prompts)

    t = trainer(replace(sft_grpo(taught=1), collect=taught_first(1, 2, twice)))
    assert [(t.step().get("rows/demonstrated"), t.step().get("rows/drawn"))] == [(2, 24)]


def test_what_cannot_be():
    with pytest.raises(UserError, match="at least 0 steps, at least 1 in each; got -1 and None"):
        taught_first(-1)
    with pytest.raises(UserError, match="got 1 and 0"):
        taught_first(1, 0)
