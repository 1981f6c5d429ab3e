"""Counter-based noise: what a row is drawn with belongs to the row, never to a process, a batch or an order.

Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") in integer tensor arithmetic, so
that the same key and counter give the same bits on every device. The key is a hash of (run seed, task, split, problem,
visit, sample); the counter is (block, decision, stream). Not a general generator: use `torch.Generator` for weights.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int, Int64, UInt64
from torch import Tensor

from rlft.types import Problem

_MASK = 0xFFFFFFFF
_CACHED = 4096  # blocks at a time, that all words of a round stay in the cache
_ROUNDS, _WORD = 6, (1 << 64) - 1  # of the permutation
_LOW, _HALF, _SIX, _HIGH = map(np.uint64, (_MASK, 32, 6, 26))
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
# what ten rounds add to a key, [round, row, block]
_WEYL = tuple(
    (np.arange(10, dtype=np.uint64) * np.uint64(step))[:, None, None] & _LOW for step in (0x9E3779B9, 0xBB67AE85)
)
# Streams keep kinds of noise apart that meet at the same decision.
ACTION, START, ENVIRONMENT, LOSS = range(4)


def hashed(*words: object) -> int:
    """A 63-bit hash of any printable words, the same on every machine and in every process."""
    text = "\x1f".join(map(str, words)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def row_keys(
    problems: Sequence[Problem], group: int, seed: int, device: torch.device | str = "cpu"
) -> Int[Tensor, "N"]:
    """One key per row for `group` samples of each of P problems, group-major: N = P·group."""
    keys = [hashed(seed, *problem.key, sample) for problem in problems for sample in range(group)]
    return torch.tensor(keys, dtype=torch.int64, device=device)


def branch_keys(
    problems: Sequence[Problem], at: Int[Tensor, "N"], group: int, seed: int, device: torch.device | str = "cpu"
) -> Int[Tensor, "M"]:
    """One key per continuation for `group` continuations of each of N rows from its decision `at`: M = N·group.

    Rows of one problem that are cut at the same place are told apart by their order.
    """
    met: dict[tuple[object, ...], int] = {}
    keys = []
    for problem, cut in zip(problems, at.tolist(), strict=True):
        name = (*problem.key, cut)
        met[name] = met.get(name, -1) + 1
        keys += [hashed(seed, "branch", *name, met[name], sample) for sample in range(group)]
    return torch.tensor(keys, dtype=torch.int64, device=device)


def forked(keys: Int[Tensor, "N"], count: int) -> Int[Tensor, "N n"]:
    """`count` keys out of each, for several draws where a row makes one decision: keys of 63 bits, as those hashed."""
    number = torch.arange(count, device=keys.device).expand(len(keys), -1)
    zero = torch.zeros_like(number)
    # the last word is 0 wherever noise is drawn
    low, high, _, _ = philox([number, zero, zero, zero + 1], [zero + (k & _MASK)[:, None] for k in (keys, keys >> 32)])
    return low + ((high >> 1) << 32)


def philox(counter: Sequence[Tensor], key: Sequence[Tensor]) -> list[Tensor]:
    """Philox 4x32-10: four counter words and two key words (int64 tensors that hold 32 bits) to four words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # 32 x 32 -> 64 bits: int64 wraps, and masking after the shift makes it a logical one.
        low0, low1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (low1 >> 32) & _MASK ^ c1 ^ k0, low1 & _MASK, (low0 >> 32) & _MASK ^ c3 ^ k1, low0 & _MASK
        k0, k1 = (k0 + 0x9E3779B9) & _MASK, (k1 + 0xBB67AE85) & _MASK
    return [c0, c1, c2, c3]


def _doubles(keys: Tensor, decisions: Tensor, width: int, stream: int) -> Tensor:
    """[N, D, width] float64, two to a Philox block: 52 bits and a half, so that neither 0 nor 1 can come out."""
    if keys.device.type == "cpu":
        return torch.from_numpy(_by_numpy(keys.numpy(), decisions.numpy(), width, stream))
    return _by_torch(keys, decisions, width, stream)


def _by_torch(keys: Tensor, decisions: Tensor, width: int, stream: int) -> Tensor:
    blocks = torch.arange((width + 1) // 2, device=keys.device)
    shape = (len(keys), len(decisions), len(blocks))
    zero = torch.zeros(shape, dtype=torch.int64, device=keys.device)
    counter = [zero + blocks, zero + (decisions[:, None] & _MASK), zero + stream, zero]
    key = [zero + (keys & _MASK)[:, None, None], zero + ((keys >> 32) & _MASK)[:, None, None]]
    a, b, c, d = philox(counter, key)
    pairs = torch.stack([(a >> 6) * 2**26 + (b >> 6), (c >> 6) * 2**26 + (d >> 6)], dim=-1)
    return ((pairs.double() + 0.5) * 2.0**-52).flatten(2)[..., :width]


def _by_numpy(
    keys: Int64[np.ndarray, "N"], decisions: Int64[np.ndarray, "D"], width: int, stream: int
) -> Float64[np.ndarray, "N D w"]:
    """The same bits by NumPy, which starts a small operation in a fifth of torch's time and has unsigned words; as many
    (row, decision) at a time as stay in the cache."""
    blocks = (width + 1) // 2
    found = np.empty((len(keys) * len(decisions), blocks, 2))
    key = np.repeat(keys, len(decisions)).astype(np.uint64)
    decision = np.tile(decisions, len(keys)).astype(np.uint64)
    several = max(1, _CACHED // max(blocks, 1))
    for first in range(0, len(key), several):
        part = slice(first, first + several)
        start = (np.arange(blocks, dtype=np.uint64), decision[part, None] & _LOW, np.uint64(stream), np.uint64(0))
        a, b, c, d = _philox_words(start, key[part, None] & _LOW, key[part, None] >> _HALF)
        found[part, :, 0] = ((a >> _SIX) << _HIGH) + (b >> _SIX)
        found[part, :, 1] = ((c >> _SIX) << _HIGH) + (d >> _SIX)
    return (((found + 0.5) * 2.0**-52).reshape(len(keys), len(decisions), 2 * blocks))[..., :width]


def _philox_words(counter: Sequence[Any], key0: Any, key1: Any) -> list[UInt64[np.ndarray, "r w"]]:
    """`philox` of unsigned words: counters and keys that broadcast to [rows, blocks]."""
    c0, c1, c2, c3 = counter
    # np.uint64 wraps, and masked is what 32 bits would have wrapped to
    keys0, keys1 = (key0 + _WEYL[0]) & _LOW, (key1 + _WEYL[1]) & _LOW
    for k0, k1 in zip(keys0, keys1, strict=True):
        low0, low1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (low1 >> _HALF) ^ c1 ^ k0, low1 & _LOW, (low0 >> _HALF) ^ c3 ^ k1, low0 & _LOW
    return [c0, c1, c2, c3]


def _as_decisions(decisions: Tensor | int, device: torch.device) -> Tensor:
    if isinstance(decisions, int):
        return torch.arange(decisions, device=device)
    return decisions.to(device=device, dtype=torch.int64)


def uniform(keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"] | int, stream: int = ACTION) -> Float[Tensor, "N D"]:
    """float64 in (0, 1), one for each row and decision (`decisions` are their numbers, or how many from 0)."""
    return _doubles(keys, _as_decisions(decisions, keys.device), 1, stream)[..., 0]


def normal(
    keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"] | int, shape: Sequence[int] = (), stream: int = ACTION
) -> Float[Tensor, "N D *E"]:
    """float64 standard normal of this event shape for each row and decision (Box and Muller 1958)."""
    width = math.prod(shape)
    u = _doubles(keys, _as_decisions(decisions, keys.device), width + width % 2, stream)
    radius, angle = (-2 * u[..., 0::2].log()).sqrt(), 2 * math.pi * u[..., 1::2]
    flat = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1).flatten(2)[..., :width]
    return flat.reshape(*flat.shape[:2], *shape)


def permuted(place: int, size: int, *key: object) -> int:
    """Where a keyed permutation of 0..size-1 takes `place`, without making the others.

    A Feistel network on the next even number of bits, repeated until it lands below `size` (cycle walking, Black and
    Rogaway 2002): at most four times on average.
    """
    if not 0 <= place < size:
        raise IndexError(f"{place} is not one of {size} places")
    half = max((size - 1).bit_length() + 1, 2) // 2
    mask, salt = (1 << half) - 1, hashed(*key)
    while True:
        left, right = place >> half, place & mask
        for step in range(_ROUNDS):
            left, right = right, left ^ (_mixed(salt + right * _ROUNDS + step) & mask)
        place = left << half | right
        if place < size:
            return place


def _mixed(word: int) -> int:
    """The output function of SplitMix64 (Steele et al. 2014), much quicker than a hash of text."""
    word = (word * 0x9E3779B97F4A7C15) & _WORD
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _WORD
    return word ^ word >> 31
