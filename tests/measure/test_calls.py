"""Rows through a network, counted until they are asked for."""

import pytest
import torch

from rlft.measure.calls import calls_of
from rlft.policies.language import Language
from rlft.policies.mix import guided
from rlft.policies.mixed import mixed
from tests.policies.test_mixed_language import PROMPT, tiny
from tests.policies.toy_diffusion import problems, small


def test_denoisers_are_called_once_a_step_in_whole_blocks():
    base, tuned = small(block=4), small(noise=0.3, block=4)
    policy = mixed(guided(base, tuned, 1.5))
    measure = calls_of({"one": policy.denoiser.members[0], "other": policy.denoiser.members[1]})
    rows = policy.sample(problems(0, 1, 2), 2, seed=0)
    # six rows in two blocks of four, four steps
    assert measure([], rows.outputs) == {"calls/one": 8 * 4 / 6, "calls/other": 8 * 4 / 6}
    assert measure([], rows.outputs) == {"calls/one": 0, "calls/other": 0}


def test_a_language_model_is_called_once_a_token():
    policy: Language = tiny(0, length=5)
    policy.causal.generation_config.eos_token_id = None
    policy.codec.tokenizer.eos_token = "<pad>"
    policy.sample([PROMPT], 1, seed=0)  # how it is decoded is tried out at the first use
    measure = calls_of({"model": policy.causal.base_model})
    rows = policy.sample([PROMPT], 3, seed=1)
    lengths = rows.mask.sum(1)
    # one prompt for the group, and every token but the last of a row
    assert measure([], rows.outputs)["calls/model"] == pytest.approx(float((1 + (lengths - 1).sum()) / 3), abs=0.7)
    policy.log_prob(rows)
    assert measure([], torch.zeros(3))["calls/model"] == 1
