"""The linear layers of a decoder as they are called: plain ones without their module, those of one input together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.products import linear


class Dense(NamedTuple):
    """What a layer does, x · weightᵀ + bias, as one matrix."""

    weight: Float[Tensor, "O I"]
    bias: Float[Tensor, "O"] | None


class Beside(NamedTuple):
    """Layers that read the same rows."""

    layers: tuple[Callable[[Tensor], Tensor], ...]

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(layer(x) for layer in self.layers)


def hooked(module: Any) -> bool:
    """Whether somebody wants to know when this module is called."""
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)


def direct(module: Any) -> Callable[[Tensor], Tensor]:
    """A plain linear layer without the module around it, which costs as much as a small product."""
    if type(module) is not nn.Linear or hooked(module):
        return module
    return partial(linear, weight=module.weight, bias=module.bias)


def dense(layer: Any) -> Dense | None:
    """A float32 layer on a CPU as one matrix: a plain one's own, or a new one with plain low-rank adapters added.

    None for all others. Adding rounds as the layer's own products do in float32; in half precision it would not.
    """
    if isinstance(layer, partial):
        made = Dense(layer.keywords["weight"].detach(), layer.keywords["bias"])
    elif _adapted(layer):
        made = Dense(layer.base_layer.weight.detach(), layer.base_layer.bias)
    else:
        return None
    if made.weight.dtype != torch.float32 or made.weight.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return None
    for delta in () if isinstance(layer, partial) else _deltas(layer):
        made = made._replace(weight=made.weight + delta)
    return made


def _adapted(layer: Any) -> bool:
    """PEFT's LoRA around a plain linear layer, in its plain form; asked without importing PEFT."""
    kind = type(layer)
    if (kind.__module__, kind.__name__) != ("peft.tuners.lora.layer", "Linear") or hooked(layer):
        return False
    inner = [layer.base_layer, *layer.lora_A.values(), *layer.lora_B.values()]
    if layer.merged or layer.lora_variant or any(type(part) is not nn.Linear or hooked(part) for part in inner):
        return False
    kept = [layer.lora_dropout[name] for name in layer.active_adapters if name in layer.lora_A]
    quiet = all(type(drop) is nn.Identity or not drop.training for drop in kept)
    return quiet and all(part.bias is None for part in layer.lora_B.values())


def _deltas(layer: Any) -> Iterator[Tensor]:
    for name in () if layer.disable_adapters else layer.active_adapters:
        if name in layer.lora_A:
            low, high = layer.lora_A[name].weight.detach(), layer.lora_B[name].weight.detach()
            yield (high.float() * layer.scaling[name]) @ low.float()
