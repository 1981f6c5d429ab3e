"""Which positions of a candidate end a matched n-gram, by tensors and by NumPy. See `counts` for the definition.

One sort for each order, of (rank of the first n - 1 tokens, next token, position) packed into one integer: equal
n-grams become neighbours, the candidate's occurrences first and in order, and an occurrence is matched if fewer stand
before it than the best reference has. O(B W log W) time.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import pad

from rlft.metrics.batch import Batch
from rlft.metrics.counts_numpy import chunks
from rlft.metrics.counts_torch import Row


def torch_flags(batch: Batch, orders: int) -> Bool[Tensor, "B N L"]:
    """Matched n-grams by the position they end at; fixed shapes, no host synchronisation."""
    rows, length = batch.candidates.shape
    if not batch.candidates.numel() or not batch.references.numel():
        return torch.zeros(rows, orders, length, dtype=torch.bool, device=batch.candidates.device)
    row = Row(batch)
    places = torch.arange(row.width, device=row.tokens.device)
    ranks, found = torch.zeros_like(row.tokens), []
    for n in range(orders):
        key = (ranks << row.bits | row.shifted(n)) * row.width + places
        ordered = key.sort(-1).values
        gram, place = ordered // row.width, ordered % row.width
        new = pad((gram[:, 1:] != gram[:, :-1]).long(), (1, 0), value=0)
        segment = new.cumsum(-1)
        most = _most(row, segment, row.source[place])
        before = places - torch.where(new > 0, places, 0).cummax(-1).values
        flag = (before < most.gather(1, segment)) & (place < row.length)
        flag = torch.zeros_like(flag).scatter(1, place, flag)[:, : row.length]
        found.append(pad(flag, (n, 0))[:, : row.length])
        ranks = torch.zeros_like(ranks).scatter(1, place, segment)
    return torch.stack(found, 1)


def _most(row: Row, segment: Tensor, source: Tensor) -> Tensor:
    """For each segment the largest count in a reference."""
    nothing = torch.zeros_like(segment)
    most = nothing
    for reference in range(1, row.references + 1):
        most = torch.maximum(most, nothing.scatter_add(1, segment, (source == reference).long()))
    return most


def numpy_flags(batch: Batch, orders: int) -> Bool[Tensor, "B N L"]:
    """The same on the CPU, a few rows at a time."""
    rows, length = batch.candidates.shape
    flags = np.zeros((rows, orders, length), np.bool_)
    for chunk, ours, theirs, bits in chunks(batch, orders):
        _flag(ours, theirs, bits, flags[chunk])
    return torch.from_numpy(flags)


def _flag(ours: np.ndarray, theirs: np.ndarray, bits: int, out: np.ndarray) -> None:
    rows, orders, length = out.shape
    references, other = theirs.shape[1], theirs.shape[2] - orders + 1
    width = length + references * other
    place_bits = width.bit_length()
    places = np.arange(width)
    source = np.where(places < length, 0, 1 + (places - length) // other)
    ranks = np.zeros((rows, width), np.int64)
    for n in range(orders):
        tokens = [ours[:, n : n + length], theirs[..., n : n + other].reshape(rows, -1)]
        key = ((ranks << bits | np.concatenate(tokens, 1)) << place_bits) | places
        key.sort(axis=1)
        place = key & ((1 << place_bits) - 1)
        key >>= place_bits
        new = np.empty(key.shape, np.bool_)
        new[:, 0] = True
        np.not_equal(key[:, 1:], key[:, :-1], out=new[:, 1:])
        starts = np.flatnonzero(new)
        sizes = np.diff(starts, append=new.size)
        most = _best(source[place].reshape(-1), starts, references)
        before = np.arange(new.size) - np.repeat(starts, sizes)
        hit = np.flatnonzero((before < np.repeat(most, sizes)) & (place.reshape(-1) < length))
        end = place.reshape(-1)[hit] + n
        out[hit // width, n, end] = True
        whose = np.arange(rows)[:, None] * width
        ranks.reshape(-1)[(place + whose).reshape(-1)] = np.repeat(np.arange(len(starts)), sizes)


def _best(source: np.ndarray, starts: np.ndarray, references: int) -> np.ndarray:
    """For each segment the largest count in a reference."""
    counts = [np.add.reduceat(source == j, starts, dtype=np.int64) for j in range(1, references + 1)]
    return np.maximum.reduce(counts)
