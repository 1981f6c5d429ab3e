"""What is counted, and by whom. The back ends agree bit for bit; `None` takes the fastest for the tensors' device.

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

import torch
from torch import Tensor

from rlft.metrics.batch import Batch
from rlft.metrics.counts_numpy import numpy_counts
from rlft.metrics.counts_torch import torch_counts
from rlft.metrics.flags import numpy_flags, torch_flags


@dataclass(frozen=True)
class Backend:
    """Who counts."""

    count: Callable[[Batch, int], tuple[Tensor, Tensor]]
    flags: Callable[[Batch, int], Tensor]


TORCH = Backend(torch_counts, torch_flags)
NUMPY = Backend(numpy_counts, numpy_flags)


def fastest(batch: Batch) -> Backend:
    """NumPy for tensors in main memory, else tensors; tensors too inside `torch.compile`."""
    on_cpu = batch.candidates.device.type == "cpu" and not torch.compiler.is_compiling()
    return NUMPY if on_cpu else TORCH
