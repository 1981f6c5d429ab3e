"""The pieces with a backward pass written out, against what autograd finds for the same formula."""

import math

import pytest
import torch
from torch.nn.functional import silu
from torch.testing import assert_close

from rlft.policies.language.tokens.fused import chosen_log_probs, gated, rms_norm, thought, turned
from rlft.policies.language.tokens.sampling import pack


def numbers(*shape, seed=0, dtype=torch.float64):
    made = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return made.to(dtype).requires_grad_()


def same_gradients(ours, plain, inputs, atol):
    weight = torch.linspace(-1, 2, ours.numel(), dtype=ours.dtype).view(ours.shape)
    found, wanted = (torch.autograd.grad((out * weight).sum(), inputs, retain_graph=True) for out in (ours, plain))
    assert_close(ours, plain, atol=atol, rtol=0)
    assert_close(found, wanted, atol=atol, rtol=0)
    assert all(gradient.abs().max() > 0.1 for gradient in wanted)


@pytest.mark.parametrize("shape", [(5, 8), (3, 2, 8)])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 2e-6), (torch.float64, 2e-6)])
def test_rms_norm(shape, dtype, atol):
    """In float64 too it agrees to float32 only: the library's norm is computed in that, and so is this one."""
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    x, weight = numbers(*shape, dtype=dtype), numbers(8, seed=1, dtype=dtype)
    module = LlamaRMSNorm(8, eps=0.1).to(dtype)
    module.weight = torch.nn.Parameter(weight)
    same_gradients(rms_norm(x, module.weight, 0.1), module(x), (x, module.weight), atol)
    with torch.no_grad():
        assert torch.equal(rms_norm(x, weight, 0.1), module(x))


def test_rms_norm_by_hand():
    # mean of squares of (3, 4) is 12.5; with eps 3.5 the root is 4
    x = torch.tensor([[3.0, 4.0]], requires_grad=True)
    out = rms_norm(x, torch.tensor([2.0, 1.0]), 3.5)
    assert_close(out.detach(), torch.tensor([[1.5, 1.0]]))
    # d(2·3/r)/dx = 2/r - 6 x/(2 r³): with x_1 = 3: .5 - 18/128, with x_2 = 4: -24/128
    out[0, 0].backward()
    assert_close(x.grad, torch.tensor([[0.5 - 18 / 128, -24 / 128]]))


def test_half_precision_is_normed_in_float32():
    x, weight = numbers(4, 64, dtype=torch.bfloat16), numbers(64, seed=1, dtype=torch.bfloat16)
    exact = rms_norm(x.float(), weight.float(), 1e-6)
    out = rms_norm(x, weight, 1e-6)
    assert out.dtype == torch.bfloat16
    assert_close(out.float(), exact, atol=0, rtol=2**-6)
    out.sum().backward()
    assert x.grad.dtype == weight.grad.dtype == torch.bfloat16


def test_gated():
    gate, up = numbers(4, 6), numbers(4, 6, seed=1)
    same_gradients(gated(gate, up), silu(gate) * up, (gate, up), 1e-12)
    with torch.no_grad():
        assert_close(gated(gate, up), silu(gate) * up, atol=1e-12, rtol=0)


def test_turned():
    """A turn by 30 degrees of the pair (first half, second half), and the rotary function of the library."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    c, s = math.sqrt(3) / 2, 0.5
    x = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]], dtype=torch.float64)
    cos, sin = torch.full((2, 1, 2), c).double(), torch.tensor([-s, s]).double().expand(2, 1, 2)
    assert_close(turned(x, cos, sin), torch.tensor([[[c, s]], [[-s, c]]], dtype=torch.float64), atol=1e-7, rtol=0)
    x, angle = numbers(3, 2, 8), torch.arange(12, dtype=torch.float64).view(3, 4).repeat(1, 2)
    signed = torch.cat([-angle[:, :4].sin(), angle[:, 4:].sin()], 1)[:, None]
    plain = apply_rotary_pos_emb(x, x, angle.cos(), angle.sin())[0]
    same_gradients(turned(x, angle.cos()[:, None], signed), plain, (x,), 1e-12)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_chosen_log_probs(size, temperature, cut, biased):
    hidden, weight, bias = numbers(7, 4), numbers(11, 4, seed=1), numbers(11, seed=2) if biased else None
    tokens = torch.tensor([0, 10, 3, 3, 7, 1, 9])
    kept = torch.ones(7, 11, dtype=torch.bool)
    if cut:
        kept[:, 4:7] = kept[3, 9:] = False
    scores = torch.nn.functional.linear(hidden, weight, bias) / temperature
    plain = scores.masked_fill(~kept, -math.inf).log_softmax(-1)[range(7), tokens]
    ours = chosen_log_probs(hidden, weight, bias, tokens, temperature, pack(kept) if cut else None, size)
    inputs = (hidden, weight, bias) if biased else (hidden, weight)
    same_gradients(ours, plain, inputs, 1e-12)
    same_gradients(ours, plain, inputs, 1e-12)  # a second backward pass finds its scores used up


def test_frozen_weights_get_no_gradient():
    hidden, weight = numbers(3, 4), numbers(5, 4, seed=1).detach()
    chosen_log_probs(hidden, weight, None, torch.tensor([1, 4, 0]), 1.0, None, 2).sum().backward()
    assert hidden.grad.abs().max() > 0.1
    assert weight.grad is None


def test_no_decision_is_no_log_probability():
    hidden, weight = numbers(0, 4), numbers(5, 4, seed=1)
    out = chosen_log_probs(hidden, weight, None, torch.zeros(0, dtype=torch.long), 1.0, None, 2)
    assert out.shape == (0,)
    out.sum().backward()
    assert weight.grad.shape == (5, 4)
    assert not weight.grad.any()


def test_an_mlp_behind_its_norm():
    """Against its parts; the norm is computed in float32, whatever is given."""
    x, norm = numbers(5, 8), numbers(8, seed=1)
    gate, up, down = (numbers(*shape, seed=seed) for shape, seed in (((12, 8), 2), ((12, 8), 3), ((8, 12), 4)))
    inner = rms_norm(x, norm, 0.1)
    plain = gated(inner @ gate.t(), inner @ up.t()) @ down.t()
    ours = thought(x, norm, 0.1, gate, up, down)
    same_gradients(ours, plain, (x, norm, gate, up, down), 1e-12)
    kept = sum(part.numel() for part in ours.grad_fn.saved_tensors)
    assert kept == x.numel() + norm.numel() + 3 * 8 * 12 + 2 * 5 * 12


def test_an_mlp_whose_matrices_are_frozen_passes_the_gradient_on():
    x = numbers(5, 8)
    gate, up, down = (numbers(*shape, seed=seed).detach() for shape, seed in (((12, 8), 2), ((12, 8), 3), ((8, 12), 4)))
    norm = torch.ones(8, dtype=torch.float64)
    plain = gated(rms_norm(x, norm, 0.1) @ gate.t(), rms_norm(x, norm, 0.1) @ up.t()) @ down.t()
    same_gradients(thought(x, norm, 0.1, gate, up, down), plain, (x,), 1e-12)
