"""How this process keeps memory that it has freed. Not what it holds."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Models of so many numbers have tensors that are worth a call to the system each.
_LARGE = 2**24
# glibc's names for from where on a piece is asked of the system, and how much of what is free at the end is kept.
_PIECE, _KEPT = -3, -1
_LEARNING, _USUAL = 2**18, 2**25


def large(weights: Iterable[torch.Tensor]) -> bool:
    """Whether `spared` does something while these learn: a large model on a CPU, glibc, and nothing else said in the
    environment."""
    count = sum(weight.numel() for weight in weights if weight.device.type == "cpu")
    return count >= _LARGE and platform.libc_ver()[0] == "glibc" and "MALLOC_MMAP_THRESHOLD_" not in os.environ


@contextmanager
def spared(really: bool) -> Iterator[None]:
    """Inside, tensors of 256 KiB and more are given back to the system when they are freed, and so is what was before.

    glibc keeps pieces of up to 32 MiB for later, in between what is in use, where the gradients of one layer do not
    fit into what the activations of another have left: a quarter of all that is held at the end of a backward pass.
    Tokens are drawn outside: asking the system for the logits of every one costs a third of the time. What is taken
    from a hole stays there, so what lives long must not have left any: a decoder's copies are made inside.
    """
    if not really:
        yield
        return
    glibc: Any = ctypes.CDLL(None)
    glibc.malloc_trim(0)
    glibc.mallopt(_PIECE, _LEARNING)
    try:
        yield
    finally:
        glibc.mallopt(_PIECE, _USUAL)
        glibc.mallopt(_KEPT, 2 * _USUAL)
