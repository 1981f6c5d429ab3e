"""Linear layers for a few rows at a time on a CPU, by weights laid out anew for that. Not for learning: no gradient.

Decoding multiplies a few rows with every weight of the model at each token. MKL and oneDNN then spend much of their
time on the weights' layout, which oneDNN can be given beforehand. With AVX-512 its linear layer takes such weights,
with AVX2 its convolution of one pixel: at 8 rows a layer of 576 to 3,072 takes two thirds of MKL's time, a head of
49,152 tokens less than half. Layers that read the same rows are one product, and adapters are added to a copy.

A copy is as large as its weight, is made when rows begin, and goes when they end; `Copies` counts them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from rlft.policies.language.engines.layers import Beside, Dense, dense
from rlft.products import linear

# Smaller weights lie in the processor's cache, and their products cost as much as the call.
_LARGE = 2**18
# One row is read as fast from any layout; from so many on the layout no longer matters.
_LEAST, _MOST = 2, 128
# Laying a weight out anew costs about as much as it saves in so many steps.
_STEPS = 16
# The layout is made for this many rows and serves more nearly as well. A convolution of fewer has another one, and
# takes a hundred times as long with this, so fewer are filled up.
_TYPICAL = 8
# What copies of a decoder may hold together, in bytes; layers that come last stay as they are.
_BYTES = 2**32

Product = Callable[[Tensor], Tensor]
Way = Callable[[Tensor, Tensor | None], Product]
_onednn: Any = torch.ops.mkldnn


class Copies:
    """What the copies of one decoder hold, in bytes, and how much they may."""

    def __init__(self, limit: int = _BYTES):
        self.limit, self.bytes = limit, 0

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes more, which are taken then."""
        fits = self.bytes + size <= self.limit
        self.bytes += size if fits else 0
        return fits


def by_linear(weight: Float[Tensor, "O I"], bias: Tensor | None) -> Product:
    """A product by oneDNN's linear layer."""
    laid = _onednn._reorder_linear_weight(weight, _TYPICAL)
    return lambda x: _onednn._linear_pointwise(x, laid, bias, "none", [], "")


def by_convolution(weight: Float[Tensor, "O I"], bias: Tensor | None) -> Product:
    """A product by oneDNN's convolution of one pixel."""
    one, none, shape = [1, 1], [0, 0], [1, weight.shape[1], 1, _TYPICAL]
    laid = _onednn._reorder_convolution_weight(weight[:, :, None, None], none, one, one, 1, shape)

    def product(x: Float[Tensor, "n I"]) -> Float[Tensor, "n O"]:
        # Rows are the pixels of a picture whose channels lie side by side, which is how they lie already.
        filled = x if len(x) >= _TYPICAL else pad(x, (0, 0, 0, _TYPICAL - len(x)))
        picture = filled[None, None].permute(0, 3, 1, 2)
        made = _onednn._convolution_pointwise(picture, laid, bias, none, one, one, 1, "none", [], "")
        return made[0, :, 0].t()[: len(x)]

    return product


@cache
def way() -> Way | None:
    """The layout of this processor and this build of torch: a choice by the machine alone, so that runs repeat."""
    capability = torch.backends.cpu.get_cpu_capability()
    if "AVX512" in capability and hasattr(_onednn, "_reorder_linear_weight"):
        return by_linear
    if "AVX2" in capability and hasattr(_onednn, "_reorder_convolution_weight") and serves(by_convolution):
        return by_convolution
    return None


@torch.no_grad()
def serves(way: Way) -> bool:
    """Whether oneDNN has code for the layout at every number of rows. Without it takes 50 times as long and more: ten
    times is the mark, which no other program on the machine moves, so that the answer is always the same."""
    weight = torch.ones(512, 512)
    product, plain = way(weight, None), partial(linear, weight=weight)
    for rows in (_LEAST, _TYPICAL, _MOST):
        x = torch.ones(rows, 512)
        anew, usual = (min(_seconds(made, x) for _ in range(5)) for made in (product, plain))
        if anew > 10 * usual + 1e-3:
            return False
    return True


def _seconds(product: Product, x: Tensor) -> float:
    start = time.process_time()
    product(x)
    return time.process_time() - start


class FewRows:
    """A layer, or several that read the same rows, for the rows of a decoder."""

    def __init__(self, layer: Any, parts: list[Dense], way: Way):
        self.layer, self.sizes = layer, [len(part.weight) for part in parts]
        weight = parts[0].weight if len(parts) == 1 else torch.cat([part.weight for part in parts])
        biases = [part.weight.new_zeros(len(part.weight)) if part.bias is None else part.bias for part in parts]
        bare = all(part.bias is None for part in parts)
        self.product = way(weight, None if bare else torch.cat(biases).detach())

    def __call__(self, x: Float[Tensor, "n I"]) -> Any:
        if not _LEAST <= len(x) <= _MOST:
            return self.layer(x)
        made = self.product(x)
        return made.split(self.sizes, 1) if isinstance(self.layer, Beside) else made


def for_few_rows(layer: Any, rows: int, steps: int, copies: Copies) -> Any:
    """The layer as a decoder of so many rows calls it for so many steps: laid out anew where that pays."""
    laid = way() if steps >= _STEPS and _LEAST <= rows <= _MOST else None
    if laid is None:
        return layer
    parts = []
    for one in layer.layers if isinstance(layer, Beside) else (layer,):
        part = dense(one)
        if part is None:
            return layer
        parts.append(part)
    count = sum(part.weight.numel() for part in parts)
    return FewRows(layer, parts, laid) if count >= _LARGE and copies.take(4 * count) else layer
