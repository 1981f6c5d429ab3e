"""How this process keeps memory that it has freed. Not what it holds: see `Optimizing` and `Trainer` for that."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable
from functools import cache

import torch

# Models of so many numbers have tensors that are worth a call to the system each.
_LARGE = 2**24
_APART = 2**20
_THRESHOLD = -3  # glibc's M_MMAP_THRESHOLD


def spare(weights: Iterable[torch.Tensor]) -> bool:
    """Whether tensors of a MiB and more are given back to the system as soon as they are freed: of a large model on a
    CPU, with glibc.

    It would keep pieces of up to 32 MiB for later, in between what is in use, where the gradients of one layer do not
    fit into what the activations of another have left: a quarter of all that is held at the end of a backward pass.
    `MALLOC_MMAP_THRESHOLD_` in the environment is left as it is.
    """
    large = sum(weight.numel() for weight in weights if weight.device.type == "cpu") >= _LARGE
    return large and "MALLOC_MMAP_THRESHOLD_" not in os.environ and _apart()


@cache
def _apart() -> bool:
    return platform.libc_ver()[0] == "glibc" and bool(ctypes.CDLL(None).mallopt(_THRESHOLD, _APART))
