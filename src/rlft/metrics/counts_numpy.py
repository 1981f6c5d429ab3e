"""Clipped n-gram matches on the CPU with NumPy. See `counts` for what is counted and `counts_torch` for the idea.

Differs from the tensors in three places: rows are taken a few at a time, so that they stay in the processor's cache;
only the ends of segments are looked at; and with one reference min(a, b) = (a + b - |a - b|) / 2 needs no more than
one cumulative sum of signs. The integers are the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from rlft.metrics.batch import Batch, totals

# Positions in a chunk: their keys of 8 bytes stay in the second-level cache, and their tokens, renamed, fit 15 bits,
# so that four of them and the source fit an int64.
_CHUNK = 32_000
_BITS = 63
# Token ids are renamed by a table if they span no more than this, else sorted first.
_TABLE = 1 << 22


def numpy_counts(batch: Batch, orders: int) -> tuple[Int[Tensor, "B N"], Int[Tensor, "B N"]]:
    """Clipped matches and numbers of n-grams, n = 1 … orders."""
    matches = np.zeros((batch.candidates.shape[0], orders), np.int64)
    for rows, ours, theirs, bits in chunks(batch, orders):
        _count(ours, theirs, bits, orders, matches[rows])
    return torch.from_numpy(matches), totals(batch.candidates, batch.candidate_mask, orders).clone()


def _count(ours: np.ndarray, theirs: np.ndarray, bits: int, orders: int, out: np.ndarray) -> None:
    rows, references = theirs.shape[:2]
    source_bits = references.bit_length()
    clipped = _clipped_by_one if references == 1 else _clipped_by_many
    for first, keys, shifts in blocks(ours, theirs, bits, orders, _BITS - source_bits):
        keys <<= source_bits
        begin = ours.shape[1] - orders + 1
        length = theirs.shape[2] - orders + 1
        for j in range(references):
            keys[:, begin : begin + length] |= j + 1
            begin += length
        keys.sort(axis=1)
        flat = keys.reshape(-1)
        differs = np.empty(flat.shape, np.uint64)
        np.bitwise_xor(flat[1:], flat[:-1], out=differs[:-1].view(np.int64))
        differs.reshape(rows, -1)[:, -1] = ~np.uint64(0)
        ends = [np.flatnonzero(differs >= np.uint64(1 << (source_bits + shift))) for shift in shifts]
        out[:, first : first + len(shifts)] = clipped(flat, ends, rows, references)


def blocks(
    ours: np.ndarray, theirs: np.ndarray, bits: int, orders: int, room: int
) -> Iterator[tuple[int, np.ndarray, list[int]]]:
    """Keys of as many orders as fit into `room` bits at a time: done before, keys [b, W], shifts for each order."""
    done, head, head_bits = 0, None, 0
    while done < orders:
        taken = min(orders - done, (room - head_bits) // bits)
        key = _packed(ours, theirs, orders, done, taken, bits)
        if head is not None:
            key |= head << (bits * taken)
        done += taken
        if done < orders:
            names, head = np.unique(key, return_inverse=True)
            head, head_bits = head.reshape(key.shape), len(names).bit_length()
        yield done - taken, key, [bits * (taken - 1 - j) for j in range(taken)]


def _packed(ours: np.ndarray, theirs: np.ndarray, orders: int, first: int, count: int, bits: int) -> np.ndarray:
    """At each position its tokens first … first + count - 1, the first one highest; in the order of sources."""
    rows, length, other = len(ours), ours.shape[1] - orders + 1, theirs.shape[2] - orders + 1
    key = np.empty((rows, length + theirs.shape[1] * other), np.int64)
    # Splitting the last axis of a slice is a view, so both halves are written in place.
    for tokens, out, size in (
        (ours, key[:, :length], length),
        (theirs, key[:, length:].reshape(rows, -1, other), other),
    ):
        out[...] = _grams(tokens[..., first : first + size + count - 1], count, bits)
    return key


def _clipped_by_one(flat: np.ndarray, ends: list[np.ndarray], rows: int, references: int) -> np.ndarray:
    """With one reference, Σ min(a, b) = (W - Σ |a - b|) / 2, where W counts everything that was sorted."""
    signs = (1 - ((flat & 1) << 1)).astype(np.int8).cumsum(dtype=np.int32)
    width = len(flat) // rows
    out = np.empty((rows, len(ends)), np.int64)
    for n, end in enumerate(ends):
        gaps = np.abs(np.diff(signs[end], prepend=0))
        out[:, n] = (width - np.add.reduceat(gaps, _row_starts(end, rows, width))) >> 1
    return out


def _clipped_by_many(flat: np.ndarray, ends: list[np.ndarray], rows: int, references: int) -> np.ndarray:
    """Three references and the candidate share an integer. Running sums may overflow, their differences do not."""
    width, sources = len(flat) // rows, flat & ((1 << references.bit_length()) - 1)
    field, per_pack = (16, 3) if width < 1 << 16 else (32, 1)
    low, out = (1 << field) - 1, np.empty((rows, len(ends)), np.int64)
    most = [np.zeros(len(end), np.int64) for end in ends]
    ours = most
    for first in range(1, references + 1, per_pack):
        unit = np.zeros(1 << references.bit_length(), np.uint64)
        unit[0] = 1
        unit[first : first + per_pack] = [1 << (field * (j + 1)) for j in range(per_pack)][: len(unit) - first]
        running = unit[sources].cumsum()
        inside = [np.diff(running[end], prepend=np.uint64(0)).view(np.int64) for end in ends]
        ours = [counts & low for counts in inside]
        for j in range(1, per_pack + 1):
            most = [np.maximum(m, (counts >> (field * j)) & low) for m, counts in zip(most, inside, strict=True)]
    for n, end in enumerate(ends):
        out[:, n] = np.add.reduceat(np.minimum(ours[n], most[n]), _row_starts(end, rows, width))
    return out


def _row_starts(ends: np.ndarray, rows: int, width: int) -> np.ndarray:
    """The first segment of each row; rows end where segments end."""
    return np.searchsorted(ends, np.arange(rows) * width)


def _grams(tokens: np.ndarray, count: int, bits: int) -> np.ndarray:
    """Packed n-grams of this many tokens at every position that has them; halves are packed first."""
    if count == 1:
        return tokens
    half = count // 2
    low = _grams(tokens, half, bits)
    high = low if count == 2 * half else _grams(tokens, count - half, bits)
    size = tokens.shape[-1] - count + 1
    return (high[..., :size] << (bits * half)) | low[..., count - half : count - half + size]


def chunks(batch: Batch, orders: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray, int]]:
    """A few rows at a time: candidates [b, Lc + N - 1], references [b, R, Lr + N - 1], and the bits of a token.

    Tokens are renamed 2, 3, …; what is not a token is 0 in candidates and 1 in references.
    """
    ours, theirs = batch.candidates.numpy(), batch.references.numpy()
    if not ours.size or not theirs.size:
        return
    low, high = int(min(ours.min(), theirs.min())), int(max(ours.max(), theirs.max()))
    if high - low > _TABLE:
        names = np.unique(np.concatenate([ours.ravel(), theirs.ravel()]))
        ours, theirs, low, high = np.searchsorted(names, ours), np.searchsorted(names, theirs), 0, len(names)
    room = (_BITS - theirs.shape[1].bit_length()) // orders
    rename = _Renaming(high - low + 3) if (high - low + 2).bit_length() > room else None
    our_mask = None if batch.candidate_mask is None else batch.candidate_mask.numpy()
    their_mask = None if batch.reference_mask is None else batch.reference_mask.numpy()
    step = max(1, _CHUNK // (ours.shape[1] + theirs.shape[1] * theirs.shape[2]))
    for first in range(0, len(ours), step):
        rows = slice(first, min(first + step, len(ours)))
        whose = np.arange(rows.start, rows.stop) // batch.group if batch.group > 1 else rows
        a = _padded(ours[rows], None if our_mask is None else our_mask[rows], orders, 0, 2 - low)
        b = _padded(theirs[whose], None if their_mask is None else their_mask[whose], orders, 1, 2 - low)
        yield rows, a, b, rename(a, b) if rename else (high - low + 2).bit_length()


def _padded(tokens: np.ndarray, mask: np.ndarray | None, orders: int, nothing: int, shift: int) -> np.ndarray:
    length = tokens.shape[-1]
    out = np.empty((*tokens.shape[:-1], length + orders - 1), np.int64)
    out[..., length:] = nothing
    np.add(tokens, shift, out=out[..., :length])
    if mask is not None:
        np.copyto(out[..., :length], nothing, where=~mask)
    return out


class _Renaming:
    """Gives the tokens of a chunk small names, in place. 0 and 1 keep theirs."""

    def __init__(self, span: int):
        self.seen = np.zeros(span, np.bool_)
        self.table = np.empty(span, np.int64)

    def __call__(self, ours: np.ndarray, theirs: np.ndarray) -> int:
        """The bits of a name."""
        self.seen[:2] = True
        self.seen[ours] = True
        self.seen[theirs] = True
        names = np.flatnonzero(self.seen)
        self.seen[names] = False
        self.table[names] = np.arange(len(names))
        for tokens in (ours, theirs):
            np.take(self.table, tokens, out=tokens, mode="clip")
        return (len(names) - 1).bit_length()
