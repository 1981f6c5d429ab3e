"""Scores made of n-gram overlap other than BLEU, and of the variety inside a completion or a group.

Arguments as in `rlft.metrics.bleu`; all take token ids and masks and give float64. A score against several references
is the best one's, and against none 0. What ROUGE and chrF call tokens is decided by whoever made the ids
(`rlft.metrics.text`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.metrics.batch import Batch, batch, totals
from rlft.metrics.bleu import sentence_bleu
from rlft.metrics.counts import Backend, fastest
from rlft.metrics.counts_torch import dense_rank
from rlft.types import UserError


class PRF(NamedTuple):
    """Precision, recall and their harmonic mean, of the reference with the best mean."""

    precision: Float[Tensor, "B"]
    recall: Float[Tensor, "B"]
    f: Float[Tensor, "B"]


class Overlap(NamedTuple):
    """For each candidate, reference and order: common n-grams, and how many there are. Absent references have none."""

    matches: Int[Tensor, "B R N"]
    candidate: Int[Tensor, "B R N"]
    reference: Int[Tensor, "B R N"]


def overlap(given: Batch, orders: int, backend: Backend | None = None) -> Overlap:
    """Candidates against each of their references alone."""
    rows, references = given.candidates.shape[0], given.references.shape[1]
    pairs = given.pairs()
    matches, candidate = (backend or fastest(given)).count(pairs, orders)
    reference = given.spread(totals(given.references, given.reference_mask, orders))
    shape = (rows, references, orders)
    return Overlap(matches.reshape(shape), candidate.reshape(shape), reference.reshape(shape))


def gleu(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
    min_n: int = 1,
    max_n: int = 4,
    backend: Backend | None = None,
) -> Float[Tensor, "B"]:
    """Google's BLEU for single sentences, Wu et al. 2016, arXiv:1609.08144, as NLTK's `sentence_gleu`.

    Σ_n m_n / max(Σ_n d_n, Σ_n r_n) over n = min_n … max_n: the smaller of precision and recall of all n-grams together.
    """
    found = overlap(batch(candidates, references, candidate_mask, reference_mask, group_size), max_n, backend)
    matches, ours, theirs = (counts[..., min_n - 1 :].sum(-1).double() for counts in found)
    return (matches / torch.maximum(ours, theirs).clamp(min=1)).amax(1)


def rouge_n(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    n: int,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
    backend: Backend | None = None,
) -> PRF:
    """ROUGE-N, Lin 2004 (W04-1013): m_n / d_n, m_n / r_n and 2 m_n / (d_n + r_n); 0 where there is no n-gram."""
    found = overlap(batch(candidates, references, candidate_mask, reference_mask, group_size), n, backend)
    return best(*(counts[..., n - 1] for counts in found))


def best(common: Int[Tensor, "B R"], ours: Int[Tensor, "B R"], theirs: Int[Tensor, "B R"]) -> PRF:
    """Precision, recall and F of the reference with the best F, from counts; the first one of equals."""
    precision = common.double() / ours.clamp(min=1)
    recall = common.double() / theirs.clamp(min=1)
    f = 2 * common.double() / (ours + theirs).clamp(min=1)
    chosen = f.argmax(1, keepdim=True)
    return PRF(*(values.gather(1, chosen)[:, 0] for values in (precision, recall, f)))


def chrf(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
    max_n: int = 6,
    beta: float = 2.0,
    backend: Backend | None = None,
) -> Float[Tensor, "B"]:
    """chrF, Popović 2015 (W15-3049), as sacrebleu's; the ids are those of characters. Token ids give an F of tokens.

    F_β of precision and recall, each the mean over the orders that candidate and reference both have. `text.text_chrf`
    is the score of strings and has chrF++ too.
    """
    given = batch(candidates, references, candidate_mask, reference_mask, group_size)
    return mean_f(overlap(given, max_n, backend), beta).amax(1)


def mean_f(found: Overlap, beta: float) -> Float[Tensor, "B R"]:
    """(1 + β²) P R / (β² P + R) with P and R averaged over the orders both have."""
    matches, ours, theirs = (counts.double() for counts in found)
    both = (ours > 0) & (theirs > 0)
    orders = both.sum(-1).clamp(min=1)
    precision = (matches / ours.clamp(min=1) * both).sum(-1) / orders
    recall = (matches / theirs.clamp(min=1) * both).sum(-1) / orders
    below = beta**2 * precision + recall
    return torch.where(below > 0, (1 + beta**2) * precision * recall / below.clamp(min=1e-300), 0.0)


def distinct_n(
    candidates: Int[Tensor, "B L"], *, n: int, candidate_mask: Tensor | None = None, group_size: int = 1
) -> Float[Tensor, "P"]:
    """Distinct n-grams over n-grams, Li et al. 2016, arXiv:1510.03055; of the completions of a group together.

    1 if none occurs twice; 0 if there is none.
    """
    different, count = _distinct(candidates, candidate_mask, n, group_size)
    return different / count.clamp(min=1)


def repetition(candidates: Int[Tensor, "B L"], *, n: int, candidate_mask: Tensor | None = None) -> Float[Tensor, "B"]:
    """seq-rep-n = 1 - distinct n-grams / n-grams, Welleck et al. 2019, arXiv:1908.04319; 0 if there is none."""
    different, count = _distinct(candidates, candidate_mask, n, 1)
    return torch.where(count > 0, 1 - different / count.clamp(min=1), 0.0)


def self_bleu(
    candidates: Int[Tensor, "B L"], *, group_size: int, candidate_mask: Tensor | None = None, **settings: Any
) -> Float[Tensor, "B"]:
    """BLEU of each completion against the others of its group, Zhu et al. 2018, arXiv:1802.01886.

    High where a group says the same; minus it rewards variety. `settings` are those of `sentence_bleu`. Memory grows
    with the group: each row meets group_size - 1 others.
    """
    rows, length = candidates.shape
    if group_size < 2 or rows % group_size:
        raise UserError(f"self_bleu compares the rows of a group: {rows} rows, group_size={group_size}")
    place = torch.arange(group_size, device=candidates.device)
    other = torch.arange(group_size - 1, device=candidates.device)
    others = other + (other >= place[:, None]).long()

    def rest(values: Tensor) -> Tensor:
        return values.reshape(rows // group_size, group_size, length)[:, others].reshape(rows, group_size - 1, length)

    mask = None if candidate_mask is None else rest(candidate_mask)
    return sentence_bleu(candidates, rest(candidates), candidate_mask=candidate_mask, reference_mask=mask, **settings)


def gram_ranks(
    tokens: Int[Tensor, "S L"], mask: Bool[Tensor, "S L"], n: int
) -> tuple[Int[Tensor, "S L"], Bool[Tensor, "S L"]]:
    """A number for the n-gram at each position, the same for the same n-gram anywhere; and whether there is one."""
    ranks = dense_rank(tokens.reshape(-1)).reshape(tokens.shape)
    grams, whole = ranks, mask
    for offset in range(1, n):
        following = _moved(ranks, offset)
        grams = dense_rank((grams * tokens.numel() + following).reshape(-1)).reshape(tokens.shape)
        whole = whole & _moved(mask, offset)
    return grams, whole


def _moved(values: Tensor, offset: int) -> Tensor:
    """Columns moved to the left; nothing follows."""
    return torch.nn.functional.pad(values, (0, offset))[:, offset:]


def _distinct(tokens: Tensor, mask: Tensor | None, n: int, group: int) -> tuple[Tensor, Tensor]:
    """Distinct n-grams and n-grams, of every `group` rows together."""
    if tokens.shape[0] % group:
        raise UserError(f"{tokens.shape[0]} rows are not groups of {group}")
    grams, whole = gram_ranks(tokens, torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask, n)
    pooled = torch.where(whole, grams, -1).reshape(tokens.shape[0] // group, group * tokens.shape[1]).sort(-1).values
    new = torch.cat([pooled[:, :1] >= 0, pooled[:, 1:] != pooled[:, :-1]], 1)
    return new.sum(-1).double(), (pooled >= 0).sum(-1).double()
