"""A name for weights by what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def fingerprint(weights: Mapping[str, Any]) -> str:
    """A hash of a state dict's tensors, eight bytes as hexadecimal digits."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        if isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(name.encode())
            digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
