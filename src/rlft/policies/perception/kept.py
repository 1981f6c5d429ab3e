"""What was looked at and what towers gave, kept within a bound. Names things by their content and by weights."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Looked:
    """What a problem shows, as the model's tower reads it.

    features    the inputs of the model's own code by name, for this problem alone
    texts       what stands in the prompt for each thing shown
    digest      names the features by their content
    """

    def __init__(self, features: Mapping[str, Tensor], texts: Sequence[str]):
        self.features, self.texts = dict(features), list(texts)
        digest = hashlib.blake2b(digest_size=8)
        for name, values in sorted(self.features.items()):
            digest.update(f"{name}{tuple(values.shape)}{values.dtype}".encode())
            digest.update(values.contiguous().flatten().view(torch.uint8).numpy().data)
        self.digest = int.from_bytes(digest.digest(), "big")


class Kept:
    """The values that were asked for last, up to so many numbers in all."""

    def __init__(self, numbers: int):
        self.numbers, self.held, self.values = numbers, 0, OrderedDict[Any, tuple[Any, int]]()

    def get(self, key: Any) -> Any:
        """The value, or None."""
        if key not in self.values:
            return None
        self.values.move_to_end(key)
        return self.values[key][0]

    def put(self, key: Any, value: Any, size: int) -> None:
        """Keep a value that was not there, and leave those that were asked for longest ago."""
        self.values[key] = value, size
        self.held += size
        while self.held > self.numbers and len(self.values) > 1:
            self.held -= self.values.popitem(last=False)[1][1]


def state_of(*modules: nn.Module) -> int:
    """Names what these modules compute now: another number once a weight has changed, or an adapter is switched.

    Every change in place raises a tensor's version; an exchange of its storage changes the address.
    """
    weights = [(weight.data_ptr(), weight._version) for module in modules for weight in module.parameters()]
    adapters = [vars(part).get("_disable_adapters") for module in modules for part in module.modules()]
    return hash((tuple(weights), tuple(adapters)))


def numbers_in(value: Any) -> int:
    """How many numbers the tensors in a value hold, in mappings and sequences too."""
    if isinstance(value, Tensor):
        return value.numel()
    if isinstance(value, Mapping):
        return sum(map(numbers_in, value.values()))
    return sum(map(numbers_in, value)) if isinstance(value, list | tuple) else 0
