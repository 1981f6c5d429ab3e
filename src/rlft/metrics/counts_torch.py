"""Clipped n-gram matches with tensor operations of fixed shape, for any device. See `counts` for what is counted.

The host never waits for the device and nothing depends on values, so it compiles with `fullgraph=True` and can be
captured in a CUDA graph. O(B W log W) time and O(B W) memory for rows of W = Lc + R·Lr tokens; no hashing.

One sort serves all orders. The positions of a row, candidate and references together, are sorted by their N-gram,
packed into one integer with its first token first; positions that share their first n tokens are then neighbours, and
every n-gram of every order is a segment of the same array. Its occurrences are differences of cumulative counts at
the ends of segments, those of the candidate and of three references packed into one integer.

What is not a token becomes 0 in a candidate and 1 in a reference. No n-gram that contains it is ever common to both,
so ends, padding and holes need no further care.

Tested on the CPU and in compiled graphs; its test on a GPU has not been run yet, and no time on one is known.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rlft.metrics.batch import Batch, totals

# One bit of an int64 is its sign.
_BITS = 63


def torch_counts(batch: Batch, orders: int) -> tuple[Int[Tensor, "B N"], Int[Tensor, "B N"]]:
    """Clipped matches and numbers of n-grams, n = 1 … orders."""
    if not batch.candidates.numel() or not batch.references.numel():
        return _nothing(batch, orders), totals(batch.candidates, batch.candidate_mask, orders).clone()
    row = Row(batch)
    matches: list[Tensor] = []
    for key, shifts in row.blocks(orders):
        ordered = (key << row.source_bits | row.source).sort(-1).values
        differs = torch.nn.functional.pad(ordered[:, 1:] ^ ordered[:, :-1], (0, 1), value=2**_BITS - 1)
        sources = ordered & ((1 << row.source_bits) - 1)
        packs = [row.packed(sources, first) for first in range(1, row.references + 1, row.per_pack)]
        for shift in shifts:
            ends = differs >> (row.source_bits + shift) != 0
            matches.append(_clipped([row.unpacked(pack, ends) for pack in packs]))
    return torch.stack(matches, -1), totals(batch.candidates, batch.candidate_mask, orders).clone()


def _nothing(batch: Batch, orders: int) -> Int[Tensor, "B N"]:
    return batch.candidates.new_zeros(batch.candidates.shape[0], orders)


def _clipped(counts: list[Tensor]) -> Tensor:
    """Σ over segments of min(candidate, max over references); each pack is [candidate, references …] in dim 0."""
    most = torch.stack([pack[1:].amax(0) for pack in counts]).amax(0)
    return torch.minimum(counts[0][0], most).sum(-1)


class Row:
    """Candidate and references side by side, tokens renamed 2 … W+1 inside the row."""

    def __init__(self, batch: Batch):
        references = batch.spread(batch.references)
        self.rows, self.references, self.reference_length = references.shape
        self.length = batch.candidates.shape[1]
        tokens = torch.cat([batch.candidates, references.flatten(1)], 1)
        mask = _mask(batch, references)
        parts = [0, *range(1, self.references + 1)]
        sizes = [self.length, *[self.reference_length] * self.references]
        self.source = torch.cat(
            [torch.full((size,), part, device=tokens.device) for part, size in zip(parts, sizes, strict=True)]
        )
        self.width = tokens.shape[1]
        self.bits = (self.width + 1).bit_length()
        self.source_bits = self.references.bit_length()
        nothing = (self.source > 0).long()
        ranks = dense_rank(tokens) + 2
        self.tokens = ranks if mask is None else torch.where(mask, ranks, nothing)
        longest = max(self.length, self.reference_length)
        self.field, self.per_pack = (16, 3) if longest < 2**15 else (31, 1)

    def blocks(self, orders: int) -> Iterator[tuple[Tensor, list[int]]]:
        """Keys of as many orders as fit into an integer at a time; and by how much to shift for each of them."""
        done, head = 0, None
        while done < orders:
            room = (_BITS - self.source_bits) // self.bits - (head is not None)
            taken = min(orders - done, room)
            key = self.shifted(done) if head is None else head
            for offset in range(done + (head is None), done + taken):
                key = key << self.bits | self.shifted(offset)
            yield key, [self.bits * (taken - 1 - j) for j in range(taken)]
            done += taken
            head = dense_rank(key) if done < orders else None

    def shifted(self, offset: int) -> Tensor:
        """The token `offset` places on in the same sequence."""
        candidate = torch.nn.functional.pad(self.tokens[:, : self.length], (0, offset), value=0)
        references = self.tokens[:, self.length :].reshape(self.rows, self.references, self.reference_length)
        references = torch.nn.functional.pad(references, (0, offset), value=1)
        return torch.cat([candidate[:, offset:], references[..., offset:].flatten(1)], 1)

    def packed(self, sources: Tensor, first: int) -> Tensor:
        """Cumulative counts of the candidate and of references first … first + per_pack - 1, a field for each."""
        field = torch.where(sources == 0, 0, sources - first + 1)
        counted = (sources == 0) | ((sources >= first) & (sources < first + self.per_pack))
        return (torch.where(counted, 1 << (self.field * field.clamp(0, self.per_pack)), 0)).cumsum(-1)

    def unpacked(self, running: Tensor, ends: Tensor) -> Int[Tensor, "S B W"]:
        """Counts of each source in the segment that ends at each position, 0 where none ends."""
        last = torch.where(ends, running, 0).cummax(-1).values
        before = torch.nn.functional.pad(last[:, :-1], (1, 0))
        inside = torch.where(ends, running - before, 0)
        low = (1 << self.field) - 1
        return torch.stack([(inside >> (self.field * j)) & low for j in range(self.per_pack + 1)])


def _mask(batch: Batch, references: Tensor) -> Bool[Tensor, "B W"] | None:
    if batch.candidate_mask is None and batch.reference_mask is None:
        return None
    ours, theirs = batch.candidate_mask, batch.reference_mask
    ours = torch.ones_like(batch.candidates, dtype=torch.bool) if ours is None else ours
    theirs = torch.ones_like(references, dtype=torch.bool) if theirs is None else batch.spread(theirs)
    return torch.cat([ours, theirs.flatten(1)], 1)


def dense_rank(values: Int[Tensor, "*B W"]) -> Int[Tensor, "*B W"]:
    """The rank of each value among the distinct values of its row, from 0: equal values, equal ranks."""
    ordered, order = values.sort(-1)
    steps = torch.nn.functional.pad((ordered[..., 1:] != ordered[..., :-1]).long(), (1, 0)).cumsum(-1)
    return torch.empty_like(values).scatter(-1, order, steps)
