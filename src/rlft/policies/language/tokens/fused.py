"""Pieces of a decoder whose backward pass is written out: fewer passes over memory and fewer tensors kept for it.

Each is a pure function with the derivative that autograd would find. They know tensors, not models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import rms_norm as torch_rms_norm
from torch.nn.functional import silu

from rlft.policies.language.tokens.sampling import unpack
from rlft.products import linear, summed, times

# torch names it, and its stubs do not.
_silu_backward: Any = torch.ops.aten.silu_backward


def widened(numbers: Tensor) -> Tensor:
    """Half precision as float32: norms and log-probabilities are never computed in less."""
    return numbers.float() if numbers.dtype in (torch.bfloat16, torch.float16) else numbers


def _normed(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    if x.dtype == torch.float32:
        return torch_rms_norm(x, weight.shape, weight, eps)
    # In float32 whatever is given, as `transformers` does it.
    return weight * torch_rms_norm(x.float(), weight.shape, None, eps).to(x.dtype)


class _Normed(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return _normed(x, weight, eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        return *_norm_slopes(grads[0], x, weight, ctx.eps, ctx.needs_input_grad[1]), None


def _norm_slopes(
    given: Tensor, x: Tensor, weight: Tensor, eps: float, needs_weight: bool
) -> tuple[Tensor, Tensor | None]:
    """The gradients to x and to the weight."""
    # In float64 for float64, so that gradients of several rows add up before or behind it.
    grad, wide = widened(given), widened(x)
    scale = wide.square().mean(-1, keepdim=True).add_(eps).rsqrt_()
    normal = wide * scale
    to_weight = (grad * normal).flatten(0, -2).sum(0).to(weight.dtype) if needs_weight else None
    inner = grad * widened(weight)
    turned = inner.sub_(normal.mul_((inner * normal).mean(-1, keepdim=True)))
    return turned.mul_(scale).to(x.dtype), to_weight


def rms_norm(x: Float[Tensor, "*n H"], weight: Float[Tensor, "H"], eps: float) -> Float[Tensor, "*n H"]:
    """weight · x / sqrt(mean x² + eps) over the last axis (Zhang and Sennrich 2019, arXiv:1910.07467)."""
    return _Normed.apply(x, weight, eps) if torch.is_grad_enabled() else _normed(x, weight, eps)


class _Gated(Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        return _silu_backward(grads[0] * up, gate), silu(gate).mul_(grads[0])


def gated(gate: Float[Tensor, "*n I"], up: Float[Tensor, "*n I"]) -> Float[Tensor, "*n I"]:
    """silu(gate) · up (Shazeer 2020, arXiv:2002.05202); silu(gate) is not kept."""
    return _Gated.apply(gate, up) if torch.is_grad_enabled() else silu(gate).mul_(up)


class _Thought(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: Tensor, eps: float, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
        inner = _normed(x, norm, eps)
        gated, wide = linear(inner, gate), linear(inner, up)
        ctx.save_for_backward(x, norm, gate, up, down, gated, wide)
        ctx.eps = eps
        return linear(silu(gated).mul_(wide), down)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, norm, gate, up, down, gated, wide = ctx.saved_tensors
        needs, smooth = ctx.needs_input_grad, silu(gated)
        to_down = summed(grads[0], smooth * wide) if needs[5] else None
        back = times(grads[0], down)
        to_wide, to_gated = smooth.mul_(back), _silu_backward(back.mul_(wide), gated)
        inner = _normed(x, norm, ctx.eps) if needs[3] or needs[4] else None
        to_gate = summed(to_gated, inner) if needs[3] and inner is not None else None
        to_up = summed(to_wide, inner) if needs[4] and inner is not None else None
        to_x, to_norm = _norm_slopes(times(to_gated, gate).add_(times(to_wide, up)), x, norm, ctx.eps, needs[1])
        return to_x, to_norm, None, to_gate, to_up, to_down


def thought(
    x: Float[Tensor, "n H"],
    norm: Float[Tensor, "H"],
    eps: float,
    gate: Float[Tensor, "I H"],
    up: Float[Tensor, "I H"],
    down: Float[Tensor, "H I"],
) -> Float[Tensor, "n H"]:
    """`gated` between three matrices, of `rms_norm(x)`. Kept for the gradient are x and what gate and up make of it.

    The norm and the product before the last matrix are computed again, which costs nothing beside the matrices and
    spares a quarter of what a layer keeps.
    """
    return _Thought.apply(x, norm, eps, gate, up, down)


def _turned(x: Tensor, cos: Tensor, sin: Tensor, sign: float) -> Tensor:
    half = x.shape[-1] // 2
    return torch.addcmul(x * cos, torch.cat([x[..., half:], x[..., :half]], -1), sin, value=sign)


class _Turned(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        # The angles are orthogonal: the transposed turn is the one back.
        cos, sin = ctx.saved_tensors
        return _turned(grads[0], cos, sin, -1.0), None, None


def turned(x: Float[Tensor, "*n E"], cos: Float[Tensor, "*m E"], sin: Float[Tensor, "*m E"]) -> Float[Tensor, "*n E"]:
    """Rotary positions (Su et al. 2021, arXiv:2104.09864): x · cos + (second half, first half) · sin.

    `sin` has its first half negated already. Both halves of `cos` are alike, and so are those of `sin` but for that.
    """
    return _Turned.apply(x, cos, sin) if torch.is_grad_enabled() else _turned(x, cos, sin, 1.0)


class _Chosen(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        tokens: Tensor,
        temperature: float,
        support: Tensor | None,
        size: int,
    ) -> Tensor:
        ctx.size, ctx.temperature = size, temperature
        norms, chosen, scores = [], [], None
        for part in _parts(len(hidden), size):
            scores = _scores(hidden[part], weight, bias, temperature, None if support is None else support[part])
            norms.append(scores.logsumexp(-1))
            chosen.append(scores.gather(-1, tokens[part, None])[:, 0] - norms[-1])
        ctx.save_for_backward(hidden, weight, bias, tokens, support, torch.cat(norms))
        # The backward pass may use these up; asked a second time it computes them again.
        ctx.scores = scores if len(norms) == 1 else None
        return torch.cat(chosen)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, tokens, support, norms = ctx.saved_tensors
        held, ctx.scores = ctx.scores, None
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        to_hidden = torch.empty_like(hidden) if needs_hidden else None
        to_weight: Tensor | None = None
        to_bias = torch.zeros_like(bias, dtype=norms.dtype) if needs_bias and bias is not None else None
        for part in _parts(len(hidden), ctx.size):
            scores = held
            if scores is None:
                cut = None if support is None else support[part]
                scores = _scores(hidden[part], weight, bias, ctx.temperature, cut)
            # d log p_k / d score = one-hot_k - softmax, and score = logit / temperature
            slope = (grads[0][part] / ctx.temperature)[:, None]
            back = scores.sub_(norms[part, None]).exp_().mul_(-slope)
            back = back.scatter_add_(1, tokens[part, None], slope).to(hidden.dtype)
            if to_hidden is not None:
                to_hidden[part] = times(back, weight)
            if needs_weight:
                # The first piece's is the sum that others are added to: there is no second matrix of this size.
                product = summed(back, hidden[part]).to(norms.dtype)
                to_weight = product if to_weight is None else to_weight.add_(product)
                del product
            if to_bias is not None:
                to_bias += back.sum(0)
        to_weight = None if to_weight is None else to_weight.to(weight.dtype)
        return to_hidden, to_weight, None if to_bias is None else to_bias.to(weight.dtype), None, None, None, None


def _parts(count: int, size: int) -> Iterator[slice]:
    for start in range(0, max(count, 1), size):
        yield slice(start, start + size)


def _scores(hidden: Tensor, weight: Tensor, bias: Tensor | None, temperature: float, support: Tensor | None) -> Tensor:
    scores = widened(linear(hidden, weight, bias))
    if temperature != 1.0:
        scores = scores.div_(temperature)
    return scores if support is None else scores.masked_fill_(~unpack(support, len(weight)), -math.inf)


def chosen_log_probs(
    hidden: Float[Tensor, "M H"],
    weight: Float[Tensor, "V H"],
    bias: Float[Tensor, "V"] | None,
    tokens: Int[Tensor, "M"],
    temperature: float,
    support: UInt8[Tensor, "M B"] | None,
    size: int,
) -> Float[Tensor, "M"]:
    """log softmax((hidden · weightᵀ + bias) / temperature)[token], over the support where one is given.

    Logits exist for `size` decisions at a time, in the backward pass too, which computes them again unless all of them
    are one piece; then that piece becomes the gradient in place.
    """
    return _Chosen.apply(hidden, weight, bias, tokens, temperature, support, size)
