"""SARI: what a simplification added, kept and deleted, against its source and references. Xu et al. 2016, Q16-1029.

Two versions are published under one name, and differ by more than papers do: `sari` here is of each sentence, as
tensor2tensor and Hugging Face's `evaluate` have it, `corpus_sari` of all together, as EASSE has it. Say which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.metrics.text import Tokenizer, mteval_13a
from rlft.types import UserError

_ORDERS = 4
Grams = Counter[tuple[str, ...]]


class Sari(NamedTuple):
    """Three operations on a scale to 1; `mean()` is the score."""

    add: Float[Tensor, "*B"]
    keep: Float[Tensor, "*B"]
    delete: Float[Tensor, "*B"]

    def mean(self) -> Float[Tensor, "*B"]:
        """SARI, a third of each."""
        return (self.add + self.keep + self.delete) / 3


def sari(
    sources: Sequence[str],
    outputs: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    tokenizer: Tokenizer = mteval_13a,
    lowercase: bool = True,
) -> Sari:
    """SARI of each row, `[B]`.

    For n-grams of one to four words, where the counts of source S and output O are times the number of references and
    those of all references R are added:

        add     F1 of the kinds in O but not S against those in R but not S
        keep    F1: precision, the mean over kinds of S ∩ O of the share that is in R; recall, |S ∩ O ∩ R| / |S ∩ R|
        delete  the mean over kinds of S - O of the share that is not in R

    and the mean over the four orders. What is divided by nothing is 1: to add nothing where nothing is to be added is
    right. The mean over rows is `evaluate`'s and tensor2tensor's; in both an order that a text is too short for is 1.
    """
    rows = [
        [_by_kind(*grams) for grams in zip(*_orders(*given), strict=True)]
        for given in _tokens(sources, outputs, references, tokenizer, lowercase)
    ]
    return Sari(*torch.tensor(rows, dtype=torch.float64).reshape(-1, _ORDERS, 3).mean(1).float().unbind(1))


def corpus_sari(
    sources: Sequence[str],
    outputs: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    tokenizer: Tokenizer = mteval_13a,
    lowercase: bool = True,
) -> Sari:
    """SARI of all rows together: counts are added over rows before anything is divided, and all three are F1.

    What is divided by nothing is 0. EASSE's default, also for deletion, of which the paper has the precision alone.
    """
    total = torch.zeros(_ORDERS, 3, 3, dtype=torch.float64)
    for given in _tokens(sources, outputs, references, tokenizer, lowercase):
        total += torch.tensor([_counts(*grams) for grams in zip(*_orders(*given), strict=True)])
    right, ours, theirs = total.unbind(-1)
    both = ours + theirs
    # F1 of precision right/ours and recall right/theirs
    return Sari(*torch.where(both > 0, 2 * right / both.clamp(min=1), 0).mean(0).float().unbind())


def _tokens(
    sources: Sequence[str],
    outputs: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    tokenizer: Tokenizer,
    lowercase: bool,
) -> list[list[Sequence[str]]]:
    """Source, output and references of each row, in this order."""
    if not len(sources) == len(outputs) == len(references):
        raise UserError(
            f"{len(sources)} sources, {len(outputs)} outputs and {len(references)} references: give one of each for a "
            "row, or a list of references"
        )
    rows = []
    for source, output, some in zip(sources, outputs, references, strict=True):
        texts = [source, output, *([some] if isinstance(some, str) else some)]
        if len(texts) == 2:
            raise UserError("SARI compares with references, and a row has none")
        rows.append([tokenizer(text.lower() if lowercase else text) for text in texts])
    return rows


def _orders(*texts: Sequence[str]) -> list[list[Grams]]:
    """Of each text its n-grams with their counts, by order."""
    return [
        [Counter(zip(*(text[first:] for first in range(order)), strict=False)) for order in range(1, _ORDERS + 1)]
        for text in texts
    ]


def _times(grams: Grams, factor: int) -> Grams:
    return Counter({gram: factor * count for gram, count in grams.items()})


def _by_kind(source: Grams, output: Grams, *references: Grams) -> tuple[float, float, float]:
    source, output, wanted = _weighed(source, output, references)
    added, to_add = set(output) - set(source), set(wanted) - set(source)
    found = len(added & to_add)
    kept, to_keep = source & output, source & wanted
    precision = _mean([(kept & wanted)[gram] / count for gram, count in kept.items()])
    recall = (kept & wanted).total() / to_keep.total() if to_keep else 1.0
    gone = source - output
    deleted = _mean([(gone - wanted)[gram] / count for gram, count in gone.items()])
    add = _f1(found / len(added) if added else 1.0, found / len(to_add) if to_add else 1.0)
    return add, _f1(precision, recall), deleted


def _counts(source: Grams, output: Grams, *references: Grams) -> list[list[int]]:
    """Right, the output's and the references' of each operation."""
    source, output, wanted = _weighed(source, output, references)
    added, to_add = set(output) - set(source), set(wanted) - set(source)
    kept, to_keep = source & output, source & wanted
    gone, to_go = source - output, source - wanted
    return [
        [len(added & to_add), len(added), len(to_add)],
        [(kept & to_keep).total(), kept.total(), to_keep.total()],
        [(gone & to_go).total(), gone.total(), to_go.total()],
    ]


def _weighed(source: Grams, output: Grams, references: Sequence[Grams]) -> tuple[Grams, Grams, Grams]:
    """Source and output times the number of references, and the references added."""
    wanted: Grams = Counter()
    for reference in references:
        wanted += reference
    return _times(source, len(references)), _times(output, len(references)), wanted


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
