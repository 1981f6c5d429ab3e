"""Random batches as tensors and as lists, and the slow definitions that the tests compare with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass
class Sample:
    """The same candidates and references twice."""

    candidates: Tensor
    references: Tensor
    masks: dict[str, Tensor]
    texts: list[list[int]]
    targets: list[list[list[int]]]


def sample(
    rng: np.random.Generator, rows: int = 3, references: int = 2, longest: int = 14, vocabulary: int = 5, least: int = 1
) -> Sample:
    """Candidates of 0 … longest tokens, references of `least` … longest of which many are near copies; id 0 is a token
    and stands under the masks as well."""
    length, other = (int(n) for n in rng.integers(max(1, least), longest + 1, 2))
    ours = rng.integers(0, vocabulary, (rows, length))
    theirs = rng.integers(0, vocabulary, (rows, references, other))
    both = min(length, other)
    copied = rng.random((rows, references, both)) < rng.choice([0.0, 0.8, 1.0])
    theirs[..., :both] = np.where(copied, ours[:, None, :both], theirs[..., :both])
    sizes = rng.integers(0, length + 1, rows)
    lengths = rng.integers(least, other + 1, (rows, references))
    masks = {
        "candidate_mask": torch.tensor(np.arange(length) < sizes[:, None]),
        "reference_mask": torch.tensor(np.arange(other) < lengths[..., None]),
    }
    texts = [row[:size].tolist() for row, size in zip(ours, sizes, strict=True)]
    targets = [
        [one[:size].tolist() for one, size in zip(some, several, strict=True)]
        for some, several in zip(theirs, lengths, strict=True)
    ]
    return Sample(torch.tensor(ours), torch.tensor(theirs), masks, texts, targets)


def grams(tokens: list[int], n: int) -> Counter:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def clipped(candidate: list[int], references: list[list[int]], orders: int) -> list[int]:
    """Matches of each order, by counting."""
    matches = []
    for n in range(1, orders + 1):
        most: Counter = Counter()
        for reference in references:
            most |= grams(reference, n)
        matches.append(sum((grams(candidate, n) & most).values()))
    return matches


def levenshtein(a: list[int], b: list[int]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def subsequence(a: list[int], b: list[int]) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], before + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]
