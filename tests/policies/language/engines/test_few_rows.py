"""Weights laid out anew for a few rows: the same products, in the same decoder, where they pay and nowhere else."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.policies.language.engines import few_rows
from rlft.policies.language.engines.few_rows import FewRows, for_few_rows
from rlft.policies.language.engines.trunk import direct
from tests.policies.language.test_policy import PROMPTS, build

needs_it = pytest.mark.skipif(not few_rows.supported(), reason="this processor or torch lays no weights out")


@needs_it
@pytest.mark.parametrize("bias", [True, False])
def test_products_are_the_plain_ones(bias):
    torch.manual_seed(0)
    layer = nn.Linear(300, 1800, bias=bias)
    few = for_few_rows(direct(layer), 8, 32)
    assert isinstance(few, FewRows)
    for rows in (1, 2, 7, 8, 64, 128, 129):
        x = torch.randn(rows, 300)
        with torch.no_grad():
            assert_close(few(x), layer(x), atol=2e-6, rtol=1e-5)


def test_where_it_does_not_pay_the_layer_is_left():
    large, small = (direct(nn.Linear(1024, width)) for width in (1024, 64))
    assert for_few_rows(small, 8, 32) is small
    assert for_few_rows(large, 8, 4) is large
    assert for_few_rows(large, 1, 32) is large and for_few_rows(large, 500, 32) is large
    double = direct(nn.Linear(1024, 1024).double())
    assert for_few_rows(double, 8, 32) is double
    module = nn.Sequential(nn.Linear(1024, 1024))  # an adapter, say
    assert for_few_rows(direct(module), 8, 32) is module
    assert isinstance(large, partial)


@needs_it
def test_a_decoder_draws_the_same_rows(monkeypatch):
    policy = build(spread=5.0, max_new_tokens=20).float()
    plain = policy.sample(PROMPTS, 4, seed=3)
    monkeypatch.setattr(few_rows, "_LARGE", 1)
    made, calls = [], FewRows.__call__
    monkeypatch.setattr(FewRows, "__call__", lambda self, x: made.append(len(x)) or calls(self, x))
    rows = policy.sample(PROMPTS, 4, seed=3)
    assert len(made) > 20 and min(made) < max(made)
    assert torch.equal(rows.trace["completion"], plain.trace["completion"])
    assert_close(rows.logp_old, plain.logp_old, atol=2e-5, rtol=0)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=5e-5, rtol=0)
