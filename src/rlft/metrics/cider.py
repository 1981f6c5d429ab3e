"""CIDEr-D: the similarity of n-grams weighted by how rare they are. Vedantam et al. 2015, arXiv:1411.5726."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from rlft.metrics.batch import batch
from rlft.metrics.ngrams import gram_ranks


def cider_d(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
    corpus: Int[Tensor, "D R Ld"] | None = None,
    corpus_mask: Bool[Tensor, "D R Ld"] | None = None,
    max_n: int = 4,
    sigma: float = 6.0,
) -> Float[Tensor, "B"]:
    """CIDEr-D as in the COCO caption evaluation, in [0, 10].

        10 / (N R) Σ_n Σ_r exp(-(c - r)² / 2σ²) Σ_g min(h_g, r_g) r_g / (|h| |r|)

    h_g and r_g are counts times log(D / df_g); df_g is the number of documents whose references contain g. The
    documents are `corpus`, or the references of the batch, one for each problem: then a batch of one problem scores 0
    and scores depend on the batch, so a reward should be given its corpus. Absent references do not
    count. No host synchronisation; one global sort for each order.
    """
    given = batch(candidates, references, candidate_mask, reference_mask, group_size)
    ours = given.candidates, _mask(given.candidates, given.candidate_mask)
    theirs = given.references, _mask(given.references, given.reference_mask)
    whole = theirs if corpus is None else (corpus.long(), _mask(corpus, corpus_mask))
    present = given.spread(theirs[1].any(-1))
    lengths = [mask.sum(-1) for mask in (ours[1], theirs[1])]
    apart = (lengths[0][:, None] - given.spread(lengths[1])).double()
    total = torch.zeros_like(apart)
    for n in range(1, max_n + 1):
        grams = _grams(ours, theirs, whole, n)
        weights = _rarity(grams, whole[0].shape[0])
        total = total + _cosine(grams, weights, given.group)
    total = total * torch.exp(-(apart**2) / (2 * sigma**2)) / max_n * present
    return 10 * total.sum(1) / present.sum(1).clamp(min=1)


class _Grams(NamedTuple):
    """n-gram numbers of candidates [B Lc], references [P R Lr] and corpus [D W], -1 where there is none."""

    ours: Tensor
    theirs: Tensor
    corpus: Tensor
    size: int


def _grams(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor], corpus: tuple[Tensor, Tensor], n: int) -> _Grams:
    parts = [ours, theirs] if corpus[0] is theirs[0] else [ours, theirs, corpus]
    length = max(tokens.shape[-1] for tokens, _ in parts)
    tokens, mask = (
        torch.cat([pad(values, (0, length - values.shape[-1])).flatten(0, -2) for values in both])
        for both in zip(*parts, strict=True)
    )
    ranks, whole = gram_ranks(tokens, mask, n)
    numbered = torch.where(whole, ranks, -1).split([tokens.shape[:-1].numel() for tokens, _ in parts])
    shaped = [n.reshape(*t.shape[:-1], length) for n, (t, _) in zip(numbered, parts, strict=True)]
    return _Grams(shaped[0], shaped[1], shaped[-1].flatten(1), tokens.numel())


def _rarity(grams: _Grams, documents: int) -> Float[Tensor, "U"]:
    """log D - log max(1, df) of every n-gram number; the last entry stands for none."""
    each = grams.corpus.sort(-1).values
    new = pad(each[:, 1:] != each[:, :-1], (1, 0), value=True) & (each >= 0)
    size = grams.size + 1
    df = torch.zeros(size, dtype=torch.long, device=each.device)
    df = df.scatter_add(0, torch.where(new, each, size - 1).flatten(), new.long().flatten())
    return math.log(max(documents, 1)) - df.clamp(min=1).double().log()


def _cosine(grams: _Grams, weights: Float[Tensor, "U"], group: int) -> Float[Tensor, "B R"]:
    """Σ min(h, r) r / (|h| |r|), 0 where one of them is 0 everywhere."""
    references, other = grams.theirs.shape[1:]
    theirs = grams.theirs.repeat_interleave(group, 0)
    pairs = torch.cat([grams.ours[:, None].expand(-1, references, -1), theirs], -1)
    source = (torch.arange(pairs.shape[-1], device=pairs.device) >= pairs.shape[-1] - other).long()
    ordered = (pairs * 2 + source).sort(-1).values
    gram, source = ordered >> 1, ordered & 1
    ends = pad(gram[..., 1:] != gram[..., :-1], (0, 1), value=True)
    counts = []
    for which in (0, 1):
        running = (source == which).long().cumsum(-1)
        before = pad(torch.where(ends, running, 0).cummax(-1).values[..., :-1], (1, 0))
        counts.append(torch.where(ends & (gram >= 0), running - before, 0))
    h, r = (count * weights[gram] for count in counts)
    norms = (h.square().sum(-1) * r.square().sum(-1)).sqrt()
    return torch.where(norms > 0, (torch.minimum(h, r) * r).sum(-1) / norms.clamp(min=1e-300), 0.0)


def _mask(tokens: Tensor, mask: Tensor | None) -> Tensor:
    return torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
