"""Clipped n-gram matches on the CPU, compiled by Numba: `pip install 'rlft[fast]'`. See `counts` for what is counted.

One row at a time, with a hash table that fits the first-level cache. An n-gram is named by a small number, and a longer
one is the pair of the names of its first and its last n - 1 tokens. The pair itself is compared, exactly: a hash says
where to look first, never what is equal. The candidate's n-grams are put in, the references' looked up, and those that
do not occur on both sides are gone from all higher orders. O(Lc + R·Lr) time a row and order, O(Lc + R·Lr) memory.

Compiled at the first call, a few seconds once on a machine: the result is kept in Numba's cache. Not for other devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Bool, Int
from numba import njit
from torch import Tensor

from rlft.metrics.batch import Batch

# Multiplicative hashing: the highest bits of the product. The halves are 1/p and 1/p² of the plastic number p, of which
# sums of multiples spread evenly, so that pairs of names do as well.
_SPREAD = np.uint64(0xC13FA9A991E10DA5)
_NEXT = np.uint64(1)
# Slots of the table for each n-gram put in: few enough collisions that the processor guesses the first slot right.
_SLOTS = 8
_NOTHING = np.uint32(0)


def numba_counts(batch: Batch, orders: int) -> tuple[Int[Tensor, "B N"], Int[Tensor, "B N"]]:
    """Clipped matches and numbers of n-grams, n = 1 … orders."""
    return _run(batch, orders, np.empty((0, 0, 0), np.bool_))


def numba_flags(batch: Batch, orders: int) -> Bool[Tensor, "B N L"]:
    """Which positions of a candidate end a matched n-gram."""
    flags = np.zeros((batch.candidates.shape[0], orders, batch.candidates.shape[1]), np.bool_)
    _run(batch, orders, flags)
    return torch.from_numpy(flags)


def _run(batch: Batch, orders: int, flags: np.ndarray) -> tuple[Tensor, Tensor]:
    matches = np.zeros((batch.candidates.shape[0], orders), np.int64)
    totals = np.zeros_like(matches)
    ours = _arrays(batch.candidates, batch.candidate_mask)
    theirs = _arrays(batch.references, batch.reference_mask)
    _count(*ours, *theirs, batch.group, matches, totals, flags)
    return torch.from_numpy(matches), torch.from_numpy(totals)


def _arrays(tokens: Tensor, mask: Tensor | None) -> tuple[np.ndarray, np.ndarray]:
    there = np.ones(tokens.shape, np.bool_) if mask is None else mask.contiguous().numpy()
    return tokens.contiguous().numpy(), there


def _kept(function: Callable) -> Callable:
    """Compiled at its first call with all that it calls; kept on disk if some folder can be written to."""
    try:
        return njit(cache=True)(function)
    except RuntimeError:
        return njit(function)


@_kept
@no_type_check
def _count(ours, our_mask, theirs, their_mask, group, matches, totals, flags):
    rows, length = ours.shape
    references, other, orders = theirs.shape[1], theirs.shape[2], matches.shape[1]
    table = np.empty(1 << (64 - int(_shift(length))), np.uint32)
    keys, grams = np.empty(max(length, other) + 1, np.int64), np.empty(length + 1, np.int64)
    seen, most = np.zeros(length + 1, np.int32), np.empty(length + 1, np.int32)
    at, names = np.empty(length + 1, np.int32), np.empty(length + 1, np.uint32)
    their_at, their_names = np.empty((references, other + 1), np.int32), np.empty((references, other + 1), np.uint32)
    sizes = np.zeros(references, np.int64)
    for row in range(rows):
        size, their = 0, row // group
        for n in range(orders):
            if n == 0:
                size = _tokens(ours[row], our_mask[row], keys, at)
                _windows(at, size, totals[row])
            else:
                size = _longer(at, names, size, keys)
            shift = _shift(size)
            used = _put(keys, size, names, table, grams, shift)
            most[: used + 1] = 0
            for j in range(references):
                if n == 0:
                    sizes[j] = _tokens(theirs[their, j], their_mask[their, j], keys, their_at[j])
                else:
                    sizes[j] = _longer(their_at[j], their_names[j], sizes[j], keys)
                _look_up(keys, sizes[j], their_names[j], table, grams, shift, seen)
                _raise(most, seen, used)
            matches[row, n] = _take(at, names, size, most, used, row, n, flags)
            if matches[row, n] == 0:
                break


@njit
@no_type_check
def _shift(size):
    """What leaves the bits of a slot of a hash, for a table with room for `size` n-grams."""
    bits = 3
    while (1 << bits) < _SLOTS * size:
        bits += 1
    return np.uint64(64 - bits)


@njit
@no_type_check
def _tokens(row, mask, keys, at):
    """The row's tokens into `keys` and their places into `at`; how many."""
    size = 0
    for i in range(len(row)):
        keys[size], at[size] = row[i], i
        size += mask[i]
    return size


@njit
@no_type_check
def _windows(at, size, totals):
    """How many n-grams tokens at these places make, of each order."""
    orders, run = len(totals), 0
    for k in range(size):
        run = run + 1 if k > 0 and at[k] == at[k - 1] + 1 else 1
        totals[min(run, orders) - 1] += 1
    for n in range(orders - 1, 0, -1):
        totals[n - 1] += totals[n]


@njit
@no_type_check
def _longer(at, names, size, keys):
    """Where an n-gram and the next one are both alive, the (n + 1)-gram into `keys` and its place into `at`."""
    kept = 0
    for k in range(size - 1):
        place, first, last = at[k], names[k], names[k + 1]
        keys[kept], at[kept] = np.int64(first) << 32 | np.int64(last), place
        kept += (at[k + 1] == place + 1) & (first != _NOTHING) & (last != _NOTHING)
    return kept


@njit
@no_type_check
def _put(keys, size, names, table, grams, shift):
    """Name the candidate's n-grams 1, 2, … in `names`; how many different ones there are.

    No branch but for collisions: which n-grams are new cannot be guessed, and a wrong guess costs more than all else.
    """
    last = ~np.uint64(0) >> shift
    table[: int(last) + 1] = _NOTHING
    used = _NOTHING
    for k in range(size):
        key = keys[k]
        slot = np.uint64(key) * _SPREAD >> shift
        name = table[slot]
        while (name != _NOTHING) & (grams[name] != key):
            slot = (slot + _NEXT) & last
            name = table[slot]
        used += np.uint32(name == _NOTHING)
        name = used if name == _NOTHING else name
        table[slot], grams[name], names[k] = name, key, name
    return used


@njit
@no_type_check
def _look_up(keys, size, names, table, grams, shift, seen):
    """A reference's names of these n-grams, 0 for those that the candidate does not have; counted in `seen`."""
    last = ~np.uint64(0) >> shift
    for k in range(size):
        key = keys[k]
        slot = np.uint64(key) * _SPREAD >> shift
        name = table[slot]
        while (name != _NOTHING) & (grams[name] != key):
            slot = (slot + _NEXT) & last
            name = table[slot]
        names[k] = name
        seen[name] += 1


@njit
@no_type_check
def _raise(most, seen, used):
    """The larger of each count; `seen` is 0 again."""
    for name in range(used + 1):
        most[name] = max(most[name], seen[name])
        seen[name] = 0


@njit
@no_type_check
def _take(at, names, size, most, used, row, n, flags):
    """Match the candidate's occurrences in order while references have more; those of no reference lose their name."""
    found = 0
    for name in range(used + 1):
        # One more, so that what has been used up is still told from what never was.
        most[name] += most[name] > 0
    for k in range(size):
        name = names[k]
        left = most[name]
        matched = left > 1
        most[name] = left - matched
        found += matched
        if flags.size and matched:
            flags[row, n, at[k] + n] = True
        names[k] = name if left > 0 else _NOTHING
    return found
