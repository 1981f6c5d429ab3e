"""Matrix products on a CPU by the faster of the two libraries that torch carries. Not a change of what is computed.

torch leaves float32 products to MKL, whose AVX-512 code runs on Intel's processors only. On others with AVX-512 oneDNN
takes about half the time, from a few million multiplications on. Everywhere else, and for every other dtype and
device, `linear`, `stacked` and `times` are torch's own. Both libraries sum in float32, in different orders.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Below so many multiplications calling oneDNN costs more than it saves.
_ENOUGH = 2**22


@cache
def mkl_is_slower() -> bool:
    """Whether this processor has AVX-512 and is not Intel's, and torch has oneDNN's linear layer."""
    known = Path("/proc/cpuinfo")
    if "AVX512" not in torch.backends.cpu.get_cpu_capability() or not known.exists():
        return False
    return "GenuineIntel" not in known.read_text() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _fits(x: Tensor, weight: Tensor) -> bool:
    if x.numel() * len(weight) < _ENOUGH or not mkl_is_slower():
        return False
    alike = x.dtype == weight.dtype == torch.float32 and x.dim() == weight.dim() == 2
    return alike and x.device.type == weight.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _onednn(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), grad = ctx.saved_tensors, grads[0]
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        to_x = times(grad, weight) if needs_x else None
        to_weight = times(grad.t(), x) if needs_weight else None
        return to_x, to_weight, grad.sum(0) if needs_bias else None


class _Stacked(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _each(x, weight.transpose(1, 2), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), grad = ctx.saved_tensors, grads[0]
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        to_x = _each(grad, weight) if needs_x else None
        to_weight = _each(x.transpose(1, 2), grad.transpose(1, 2)) if needs_weight else None
        return to_x, to_weight, grad.sum(1, keepdim=True) if needs_bias else None


def _each(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    biases = [None] * len(x) if bias is None else bias.flatten(1)
    return torch.stack([_onednn(*one) for one in zip(x, weight, biases, strict=True)])


def linear(
    x: Float[Tensor, "*n I"], weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None = None
) -> Float[Tensor, "*n O"]:
    """x · weightᵀ + bias, differentiable once where it is oneDNN's."""
    if not _fits(x, weight):
        return functional.linear(x, weight, bias)
    return _Linear.apply(x, weight, bias) if torch.is_grad_enabled() else _onednn(x, weight, bias)


def stacked(
    x: Float[Tensor, "E n I"], weight: Float[Tensor, "E I O"], bias: Float[Tensor, "E 1 O"]
) -> Float[Tensor, "E n O"]:
    """x · weight + bias of each member, differentiable once where it is oneDNN's."""
    if not _fits(x[0], weight[0].t()):
        return torch.baddbmm(bias, x, weight)
    return _Stacked.apply(x, weight, bias) if torch.is_grad_enabled() else _each(x, weight.transpose(1, 2), bias)


def times(a: Float[Tensor, "n m"], b: Float[Tensor, "m k"]) -> Float[Tensor, "n k"]:
    """a · b, for numbers that no gradient is asked of."""
    return _onednn(a, b.t(), None) if _fits(a, b.t()) else a @ b
