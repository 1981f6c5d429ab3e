"""Linear layers for a few rows at a time on a CPU, by weights laid out anew for that. Not for learning: no gradient.

Decoding multiplies a few rows with every weight of the model at each token. MKL and oneDNN then spend half their time
on the weights' layout, which oneDNN can be given beforehand: at 8 rows a layer of 576 to 2,304 takes half the time, a
head of 49,152 tokens a third. A copy is as large as the weight, is made when rows begin, and goes when they end.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

# Smaller weights lie in the processor's cache, and their products cost as much as the call.
_LARGE = 2**19
# One row is read as fast from any layout; from so many on the layout no longer matters.
_LEAST, _MOST = 2, 128
# Laying a weight out anew costs about as much as it saves in so many steps.
_STEPS = 16
# The layout is made for this many rows, and serves others nearly as well.
_TYPICAL = 8


@cache
def supported() -> bool:
    """Whether this processor and this build of torch have it: a choice by the machine alone, so that runs repeat."""
    return "AVX512" in torch.backends.cpu.get_cpu_capability() and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")


class FewRows:
    """A plain linear layer, `trunk.direct`'s, for the rows of a decoder."""

    def __init__(self, plain: partial[Tensor]):
        self.plain, self.bias = plain, plain.keywords["bias"]
        self.weight = torch.ops.mkldnn._reorder_linear_weight(plain.keywords["weight"].detach(), _TYPICAL)

    def __call__(self, x: Float[Tensor, "n I"]) -> Float[Tensor, "n O"]:
        if _LEAST <= len(x) <= _MOST:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return self.plain(x)


def for_few_rows(layer: Any, rows: int, steps: int) -> Any:
    """The layer as a decoder of so many rows calls it for so many steps: laid out anew where that pays."""
    if not isinstance(layer, partial) or steps < _STEPS or not _LEAST <= rows <= _MOST or not supported():
        return layer
    weight = layer.keywords["weight"]
    alike = weight.dtype == torch.float32 and weight.device.type == "cpu" and weight.numel() >= _LARGE
    return FewRows(layer) if alike and not torch.is_autocast_enabled("cpu") else layer
