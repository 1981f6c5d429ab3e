"""Rows through a network, counted until they are asked for."""

import pytest
import torch

from rlft.guidance import Predicted, svdd_r
from rlft.measure.calls import calls_of
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.types import Problem
from tests.policies.stepwise.toy_diffusion import problems, small


def test_denoisers_are_called_once_a_step_in_whole_blocks():
    one, other = small(block=4), small(noise=0.3, block=4)
    measure = calls_of({"one": one.denoiser, "other": other.denoiser})
    rows = one.sample(problems(0, 1, 2), 2, seed=0)
    # six rows in two blocks of four, four steps
    assert measure([], rows.outputs) == {"calls/one": 8 * 4 / 6, "calls/other": 0}
    other.sample(problems(1), 3, seed=0)
    assert measure([], rows.outputs) == {"calls/one": 0, "calls/other": 4 * 4 / 6}


def test_what_guidance_says_it_spent_is_what_went_through():
    policy = small(block=1)
    measure = calls_of({"network": policy.denoiser})
    sampler = svdd_r(policy, Predicted(lambda asked, images: images.flatten(1).mean(1)), alpha=0.1, candidates=3)
    rows = sampler.sample(problems(0, 1), 2, seed=0)
    assert measure([], rows.outputs)["calls/network"] == sampler.spent.per_row()["calls/network"] > 4


def test_a_language_model_is_called_once_a_token():
    tokenizer = character_tokenizer("abcdef .")
    network = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=16)
    policy = Language(network, tokenizer, max_new_tokens=5)
    prompt = Problem(0, "ab", task="prompt")
    measure = calls_of({"model": policy.causal.base_model})
    measure([], policy.sample([prompt], 1, seed=0).outputs)  # how it is decoded is tried out at the first use
    rows = policy.sample([prompt], 3, seed=1)
    lengths = rows.mask.sum(1)
    # one prompt for the group, and every token but the last of a row
    assert measure([], rows.outputs)["calls/model"] == pytest.approx(float((1 + (lengths - 1).sum()) / 3), abs=0.7)
    policy.log_prob(rows)
    assert measure([], torch.zeros(3))["calls/model"] == 1
