"""Scores of two sequences in order: longest common subsequence and edit distance, exact.

Dynamic programming over the candidate's tokens, each step one tensor operation over rows, references and the
reference's tokens: L steps of O(B R L), O(B R L) memory, no host synchronisation. A running maximum or minimum along
the reference replaces the dependence of each cell on its left neighbour.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from rlft.metrics.batch import batch
from rlft.metrics.ngrams import PRF, best


def rouge_l(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
) -> PRF:
    """ROUGE-L of one sentence, Lin 2004 (W04-1013): LCS / c, LCS / r and 2 LCS / (c + r), best reference."""
    pairs = _Pairs(candidates, references, candidate_mask, reference_mask, group_size)
    return best(pairs.common(), pairs.length[:, None].expand_as(pairs.lengths), pairs.lengths)


def edit_distance(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
) -> Int[Tensor, "B R"]:
    """Levenshtein distance: least insertions, deletions and substitutions, to each reference.

    To an absent one it is the candidate's length; where there is none, that is the only column.
    """
    return _Pairs(candidates, references, candidate_mask, reference_mask, group_size).edits()


def wer(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
) -> Float[Tensor, "B"]:
    """Edit distance over the reference's length, of the reference with the least; a rate of words, if ids are words.

    Can exceed 1. An absent reference counts as one of length 0 only where there is no other, and then as length 1.
    """
    pairs = _Pairs(candidates, references, candidate_mask, reference_mask, group_size)
    rate = pairs.edits().double() / pairs.lengths.clamp(min=1)
    absent = (pairs.lengths == 0) & (pairs.lengths > 0).any(1, keepdim=True)
    return torch.where(absent, torch.inf, rate).amin(1)


def edit_similarity(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
) -> Float[Tensor, "B"]:
    """1 - edit distance / max(c, r), best reference; 1 for two empty sequences, 0 without references, in [0, 1]."""
    pairs = _Pairs(candidates, references, candidate_mask, reference_mask, group_size)
    longer = torch.maximum(pairs.lengths, pairs.length[:, None]).clamp(min=1)
    return (1 - pairs.edits().double() / longer).amax(1)


class _Pairs:
    """Candidates and references with their tokens moved to the left, holes closed."""

    def __init__(
        self,
        candidates: Tensor,
        references: Tensor,
        candidate_mask: Tensor | None,
        reference_mask: Tensor | None,
        group_size: int,
    ):
        given = batch(candidates, references, candidate_mask, reference_mask, group_size)
        self.length, self.lengths = given.candidate_lengths(), given.reference_lengths()
        self.candidates = _left(given.candidates, given.candidate_mask)
        self.references = given.spread(_left(given.references, given.reference_mask))

    def common(self) -> Int[Tensor, "B R"]:
        """The longest common subsequence: new_j = max_{k ≤ j} max(old_k, old_{k-1} + [equal])."""
        best = self.references.new_zeros(*self.references.shape[:2], self.references.shape[2] + 1, dtype=torch.int32)
        for i, equal in self._columns():
            grown = torch.maximum(best[..., 1:], best[..., :-1] + equal)
            step = pad(grown, (1, 0)).cummax(-1).values
            best = torch.where(i < self.length[:, None, None], step, best)
        return self._last(best)

    def edits(self) -> Int[Tensor, "B R"]:
        """The edit distance: new_j = j + min_{k ≤ j} (t_k - k), t_j = min(old_j + 1, old_{j-1} + [different])."""
        places = torch.arange(self.references.shape[2] + 1, device=self.references.device, dtype=torch.int32)
        cost = places.expand(*self.references.shape[:2], -1)
        for i, equal in self._columns():
            changed = torch.minimum(cost[..., 1:] + 1, cost[..., :-1] + 1 - equal)
            first = torch.full_like(changed[..., :1], i + 1)
            step = places + (torch.cat([first, changed], -1) - places).cummin(-1).values
            cost = torch.where(i < self.length[:, None, None], step, cost)
        return self._last(cost)

    def _columns(self):
        """For each token of the candidate, where it stands in the references."""
        for i in range(self.candidates.shape[1]):
            yield i, (self.references == self.candidates[:, i, None, None]).to(torch.int32)

    def _last(self, table: Tensor) -> Int[Tensor, "B R"]:
        return table.gather(-1, self.lengths[..., None])[..., 0].long()


def _left(tokens: Int[Tensor, "*S L"], mask: Bool[Tensor, "*S L"] | None) -> Int[Tensor, "*S L"]:
    """Tokens in order from the first column on; what follows them is never read."""
    return tokens if mask is None else tokens.gather(-1, (~mask).long().sort(dim=-1, stable=True).indices)
