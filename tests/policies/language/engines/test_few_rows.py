"""Weights laid out anew for a few rows: the same products, in the same decoder, where they pay and nowhere else."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.policies.language.engines import few_rows
from rlft.policies.language.engines.few_rows import Copies, FewRows, by_convolution, by_linear, for_few_rows, serves
from rlft.policies.language.engines.layers import Beside, direct
from rlft.policies.language.folder import with_lora
from tests.policies.language.test_policy import PROMPTS, build

needs_it = pytest.mark.skipif(few_rows.way() is None, reason="this processor or torch lays no weights out")
WAYS = [
    pytest.param(way, marks=pytest.mark.skipif(not hasattr(torch.ops.mkldnn, name), reason="this torch has it not"))
    for way, name in ((by_linear, "_reorder_linear_weight"), (by_convolution, "_reorder_convolution_weight"))
]


def laid(layer, rows=8, steps=32, copies=None):
    return for_few_rows(layer, rows, steps, copies or Copies())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bias", [True, False])
def test_products_are_the_plain_ones(bias, way, monkeypatch):
    monkeypatch.setattr(few_rows, "way", lambda: way)
    torch.manual_seed(0)
    layer = nn.Linear(300, 1800, bias=bias)
    few = laid(direct(layer))
    assert isinstance(few, FewRows)
    for rows in (1, 2, 7, 8, 64, 128, 129):
        x = torch.randn(rows, 300)
        with torch.no_grad():
            made = few(x)
            assert made.shape == (rows, 1800) and made.stride() == (1800, 1)
            assert_close(made, layer(x), atol=2e-6, rtol=1e-5)


@needs_it
def test_layers_of_one_input_are_one_product():
    torch.manual_seed(0)
    layers = nn.Linear(300, 900, bias=False), nn.Linear(300, 200), nn.Linear(300, 100, bias=False)
    few = laid(Beside(tuple(map(direct, layers))))
    assert isinstance(few, FewRows)
    for rows in (1, 4):
        x = torch.randn(rows, 300)
        with torch.no_grad():
            made = few(x)
            assert len(made) == 3
            for one, layer in zip(made, layers, strict=True):
                assert_close(one, layer(x), atol=2e-6, rtol=1e-5)


def test_where_it_does_not_pay_the_layer_is_left():
    large, small = (direct(nn.Linear(1024, width)) for width in (1024, 64))
    assert laid(small) is small
    assert laid(large, steps=4) is large
    assert laid(large, rows=1) is large and laid(large, rows=500) is large
    double = direct(nn.Linear(1024, 1024).double())
    assert laid(double) is double
    module = nn.Sequential(nn.Linear(1024, 1024))  # an adapter of a kind that is not known, say
    assert laid(direct(module)) is module
    both = Beside((large, module))
    assert laid(both) is both


@needs_it
def test_copies_are_counted_and_bounded():
    layers, copies = [direct(nn.Linear(1024, 1024, bias=False)) for _ in range(3)], Copies(limit=9 * 2**20)
    made = [laid(layer, copies=copies) for layer in layers]
    assert [isinstance(layer, FewRows) for layer in made] == [True, True, False]
    assert copies.bytes == 8 * 2**20


def test_a_layout_that_oneDNN_has_no_code_for_does_not_serve():
    import time

    def slow(weight, bias):
        def product(x):
            time.sleep(0)
            start = time.process_time()
            while len(x) == 2 and time.process_time() - start < 0.02:
                pass
            return x @ weight.t()

        return product

    assert not serves(slow)
    assert serves(lambda weight, bias: lambda x: x @ weight.t())


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


@needs_it
def test_adapters_are_added_to_the_copy(monkeypatch):
    monkeypatch.setattr(few_rows, "_LARGE", 1)
    policy = build(spread=5.0, max_new_tokens=20).float()
    adapted = policy.with_model(with_lora(policy.causal, 4))
    with torch.no_grad():
        for name, weight in adapted.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(generator=torch.Generator().manual_seed(0), std=0.3)
    made, calls = [], FewRows.__call__
    monkeypatch.setattr(FewRows, "__call__", lambda self, x: made.append(len(x)) or calls(self, x))
    rows = adapted.sample(PROMPTS, 4, seed=3)
    decoder = adapted.engine.decoder()
    decoder.start(torch.ones(1, 3, dtype=torch.long), [3], 20)
    decoder.keep(torch.tensor([0, 0, 0]))
    assert all(isinstance(getattr(block, name), FewRows) for block in decoder.blocks for name in decoder_layers())
    assert len(made) > 20
    assert_close(adapted.log_prob(rows), rows.logp_old, atol=5e-5, rtol=0)
    with adapted.model.disable_adapter():
        assert (adapted.log_prob(rows) - rows.logp_old).abs().max() > 0.1
        assert_close(adapted.sample(PROMPTS, 4, seed=3).logp_old, policy.sample(PROMPTS, 4, seed=3).logp_old)


def decoder_layers():
    return ("read", "out", "widen", "down")
