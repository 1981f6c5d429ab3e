"""What is counted, and by whom. The back ends agree bit for bit; `None` takes the fastest for the tensors' device.

TORCH is for any device. For tensors in main memory there are NUMPY and NUMBA, which is compiled and needs
`pip install 'rlft[fast]'`; where Numba is installed, it is the one that is taken.

For each order n = 1 … N of a batch (`rlft.metrics.batch`):

    count     m_n = Σ_g min(count of g in the candidate, max over references of the count of g in it)
              d_n = number of the candidate's n-grams                                                  [B, N] each
    flags     whether the n-gram ending at a position is one of the m_n: the k-th occurrence of g in the candidate
              is, if some reference has g at least k times. So Σ flags = m_n, and whether a position is one depends
              on what stands before it only                                                            [B, N, Lc]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from rlft.metrics.batch import Batch
from rlft.metrics.counts_numpy import numpy_counts
from rlft.metrics.counts_torch import torch_counts
from rlft.metrics.flags import numpy_flags, torch_flags
from rlft.types import UserError


@dataclass(frozen=True)
class Backend:
    """Who counts."""

    count: Callable[[Batch, int], tuple[Tensor, Tensor]]
    flags: Callable[[Batch, int], Tensor]


def _numba_counts(batch: Batch, orders: int) -> tuple[Tensor, Tensor]:
    return _compiled().numba_counts(batch, orders)


def _numba_flags(batch: Batch, orders: int) -> Tensor:
    return _compiled().numba_flags(batch, orders)


def _compiled() -> ModuleType:
    try:
        from rlft.metrics import counts_numba
    except ImportError as error:
        raise UserError(f"backend=NUMBA needs numba: pip install 'rlft[fast]' ({error})") from error
    return counts_numba


TORCH = Backend(torch_counts, torch_flags)
NUMPY = Backend(numpy_counts, numpy_flags)
NUMBA = Backend(_numba_counts, _numba_flags)


def fastest(batch: Batch) -> Backend:
    """NUMBA or NUMPY for tensors in main memory, else TORCH; TORCH too inside `torch.compile`."""
    on_cpu = batch.candidates.device.type == "cpu" and not torch.compiler.is_compiling()
    return _fastest_on_cpu() if on_cpu else TORCH


@cache
def _fastest_on_cpu() -> Backend:
    try:
        _compiled()
    except UserError:
        return NUMPY
    return NUMBA
