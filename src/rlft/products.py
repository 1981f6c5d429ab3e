"""Matrix products on a CPU by the faster of the two libraries that torch carries. Not a change of what is computed.

torch leaves float32 products to MKL, whose AVX-512 code runs on Intel's processors only. On others with AVX-512 oneDNN
takes about half the time, from a few million multiplications on. Everywhere else, and for every other dtype and
device, the functions here are torch's own. Both libraries sum in float32, in different orders.

oneDNN compiles kernels for each shape and keeps them, half a MiB each, and batches of tokens have a new number of rows
every time. So it is given rows in blocks of few sizes, MKL multiplies those that are left, and small layers are MKL's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

# With fewer multiplications calling oneDNN costs more than it saves.
_ENOUGH = 2**22
# Layers with fewer weights are not worth the memory of their kernels.
_WIDE = 2**15
# Rows in a block. Decoding has few rows and needs one kernel a layer for each size; learning needs three.
_LEARNING = (256, 128)
_READING = (256, 128, 64, 32)
_usual = ContextVar("usual", default=False)


@cache
def mkl_is_slower() -> bool:
    """Whether this processor has AVX-512 and is not Intel's, and torch has oneDNN's linear layer."""
    known = Path("/proc/cpuinfo")
    if "AVX512" not in torch.backends.cpu.get_cpu_capability() or not known.exists():
        return False
    return "GenuineIntel" not in known.read_text() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@contextmanager
def usual() -> Iterator[None]:
    """torch's own products inside it: what is made once and kept comes out the same on either kind of processor."""
    before = _usual.set(True)
    try:
        yield
    finally:
        _usual.reset(before)


def linear(
    x: Float[Tensor, "*n I"], weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None = None
) -> Float[Tensor, "*n O"]:
    """x · weightᵀ + bias, differentiable once where it is oneDNN's."""
    if not _fits(x, weight):
        return functional.linear(x, weight, bias)
    return _Linear.apply(x, weight, bias) if torch.is_grad_enabled() else _rows(x, weight, bias, _READING)


def stacked(
    x: Float[Tensor, "E n I"], weight: Float[Tensor, "E I O"], bias: Float[Tensor, "E 1 O"]
) -> Float[Tensor, "E n O"]:
    """x · weight + bias of each member, differentiable once where it is oneDNN's."""
    if not _fits(x[0], weight[0].t()):
        return torch.baddbmm(bias, x, weight)
    return _Stacked.apply(x, weight, bias) if torch.is_grad_enabled() else _each(x, weight, bias)


def times(a: Float[Tensor, "n m"], b: Float[Tensor, "m k"]) -> Float[Tensor, "n k"]:
    """a · b, for numbers that no gradient is asked of; n is what differs from batch to batch."""
    return _rows(a, b.t()) if _fits(a, b.t()) else a @ b


def summed(a: Float[Tensor, "n m"], b: Float[Tensor, "n k"]) -> Float[Tensor, "m k"]:
    """aᵀ · b, for numbers that no gradient is asked of; n is what differs from batch to batch."""
    if a.shape[1] * b.shape[1] < _WIDE or not _fits(a.t(), b.t()):
        return a.t() @ b
    total = torch.zeros(())
    for rows, block in _blocks(len(a), _LEARNING):
        one, other = a[rows].t(), b[rows]
        total = total + (_onednn(one, other.t()) if block else one @ other)
    return total


def _fits(x: Tensor, weight: Tensor) -> bool:
    if x.numel() * len(weight) < _ENOUGH or weight.numel() < _WIDE or _usual.get() or not mkl_is_slower():
        return False
    alike = x.dtype == weight.dtype == torch.float32 and x.dim() == weight.dim() == 2
    return alike and x.device.type == weight.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _blocks(rows: int, sizes: tuple[int, ...]) -> list[tuple[slice, bool]]:
    """Pieces of so many rows, and whether each is a block or what is left."""
    found, start = [], 0
    for size in sizes:
        while rows - start >= size:
            found.append((slice(start, start + size), True))
            start += size
    return found + ([(slice(start, rows), False)] if start < rows else [])


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def _rows(x: Tensor, weight: Tensor, bias: Tensor | None = None, sizes: tuple[int, ...] = _LEARNING) -> Tensor:
    if len(x) < sizes[-1]:
        return functional.linear(x, weight, bias)
    if len(x) in sizes:
        return _onednn(x, weight, bias)
    out = x.new_empty(len(x), len(weight))
    for rows, block in _blocks(len(x), sizes):
        out[rows] = (_onednn if block else functional.linear)(x[rows], weight, bias)
    return out


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _rows(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), grad = ctx.saved_tensors, grads[0]
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        to_x = times(grad, weight) if needs_x else None
        to_weight = summed(grad, x) if needs_weight else None
        return to_x, to_weight, grad.sum(0) if needs_bias else None


class _Stacked(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _each(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), grad = ctx.saved_tensors, grads[0]
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        to_x = torch.stack([times(*one) for one in zip(grad, weight.transpose(1, 2), strict=True)]) if needs_x else None
        to_weight = torch.stack([summed(*one) for one in zip(x, grad, strict=True)]) if needs_weight else None
        return to_x, to_weight, grad.sum(1, keepdim=True) if needs_bias else None


def _each(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.stack([_rows(a, b.t(), c) for a, b, c in zip(x, weight, bias[:, 0], strict=True)])
