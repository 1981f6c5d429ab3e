"""ROUGE-Lsum: ROUGE-L of whole summaries, whose sentences stand on lines of their own. Of strings, not of token ids.

Counts are plain Python: a sentence at a time is short, and there is no batch to keep a device busy with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from rlft.metrics.ngrams import PRF, best
from rlft.metrics.text import Tokenizer
from rlft.types import UserError


def rouge_lsum(
    candidates: Sequence[str], references: Sequence[str] | Sequence[Sequence[str]], tokenizer: Tokenizer
) -> PRF:
    """Summary-level ROUGE-L, Lin 2004 (W04-1013, Sec. 3.2), as `rouge_score` counts it, best reference.

        hits = Σ over sentences r of the reference |∪_c LCS(r, c)|      precision hits / |c|, recall hits / |r|

    over sentences c of the candidate, which are lines. No token is hit more often than candidate and reference each
    have it. 0 without references, and of empty texts. Of one line each it is `rouge_l` of these tokens.
    """
    if len(candidates) != len(references):
        raise UserError(f"{len(candidates)} candidates and {len(references)} references: give one, or a list, for each")
    several = [[one] if isinstance(one, str) else list(one) for one in references]
    most = max([1, *map(len, several)])
    counts = torch.zeros(len(several), most, 3, dtype=torch.long)
    for row, (text, some) in enumerate(zip(candidates, several, strict=True)):
        ours = _lines(text, tokenizer)
        for place, reference in enumerate(some):
            theirs = _lines(reference, tokenizer)
            sizes = sum(map(len, ours)), sum(map(len, theirs))
            counts[row, place] = torch.tensor([_hits(ours, theirs), *sizes])
    return best(*counts.unbind(-1))


def _lines(text: str, tokenizer: Tokenizer) -> list[list[str]]:
    return [tokens for line in text.split("\n") if (tokens := list(tokenizer(line)))]


def _hits(ours: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]) -> int:
    left = [Counter(token for line in lines for token in line) for lines in (ours, theirs)]
    hits = 0
    for reference in theirs:
        places = sorted(set().union(*(_common(reference, line) for line in ours)))
        for token in (reference[place] for place in places):
            if all(count[token] > 0 for count in left):
                hits += 1
                for count in left:
                    count[token] -= 1
    return hits


def _common(reference: Sequence[Any], line: Sequence[Any]) -> set[int]:
    """Where in the reference a longest common subsequence stands: of several, one that ends furthest left."""
    table = [[0] * (len(line) + 1)]
    for token in reference:
        above, row = table[-1], [0]
        for j, other in enumerate(line):
            row.append(above[j] + 1 if token == other else max(above[j + 1], row[j]))
        table.append(row)
    places, i, j = set(), len(reference), len(line)
    while i and j:
        if reference[i - 1] == line[j - 1]:
            i, j = i - 1, j - 1
            places.add(i)
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return places
