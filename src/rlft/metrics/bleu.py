"""BLEU of token ids: of sentences, of every prefix, of a corpus. Papineni et al. 2002 (P02-1040).

Not a tokenizer (`rlft.metrics.text`) and not a reward (`rlft.rewards`). Arguments that all functions share:

    candidates, references     token ids [B Lc]; [B Lr], [B R Lr], or [P R Lr] shared by groups of `group_size` rows
    candidate_mask, reference_mask     True for tokens, of the same shapes; None: all are. See `rlft.metrics.batch`
    max_n, weights             orders 1 … max_n, and a weight for each, equal by default
    preset                     whose BLEU: sacrebleu (sentence_score), nltk, hf_evaluate, tensorbleu
    smoothing, smoothing_value, effective_order, reference_length      the preset's unless given; `smoothing.py`
    backend                    who counts, see `rlft.metrics.counts`
    dtype                      of the score; everything before it is an integer

Scores are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from rlft.metrics.batch import Batch, batch
from rlft.metrics.counts import Backend, fastest
from rlft.metrics.smoothing import (
    PRESETS,
    Convention,
    Preset,
    ReferenceLength,
    Smoothing,
    Stats,
    convention,
    further_orders,
)
from rlft.metrics.smoothing import reference_length as length_by_rule
from rlft.types import UserError


def sentence_bleu(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
    max_n: int = 4,
    weights: Sequence[float] | Tensor | None = None,
    preset: Preset = "sacrebleu",
    smoothing: Smoothing | None = None,
    smoothing_value: float | None = None,
    effective_order: bool | None = None,
    reference_length: ReferenceLength | None = None,
    backend: Backend | None = None,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "B"]:
    """BLEU of each candidate against its own references.

    An empty candidate scores 0; so does one without references, but for the smoothings that reward nothing
    (`hf_evaluate`, `tensorbleu`).
    """
    how = _convention(preset, smoothing, smoothing_value, effective_order, reference_length)
    given = batch(candidates, references, candidate_mask, reference_mask, group_size)
    stats = _stats(given, max_n + further_orders(how.smoothing), how.reference_length, backend)
    return _score(stats, how, _weights(weights, max_n, stats, dtype))


def bleu_stats(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
    max_n: int = 4,
    reference_length: ReferenceLength = "closest",
    backend: Backend | None = None,
) -> Int[Tensor, "B C"]:
    """What BLEU is made of, C = 3 max_n + 2 integers a row: matches, totals, missing orders, and the two lengths.

    They add: the sum over rows is the corpus's, the sum over ranks (one all-reduce) that of all ranks.
    """
    given = batch(candidates, references, candidate_mask, reference_mask, group_size)
    return _stats(given, max_n, reference_length, backend)


def bleu_of_stats(
    stats: Int[Tensor, "*S C"],
    *,
    weights: Sequence[float] | Tensor | None = None,
    preset: Preset = "sacrebleu",
    smoothing: Smoothing | None = None,
    smoothing_value: float | None = None,
    effective_order: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "*S"]:
    """BLEU of the statistics of sentences or, summed, of a corpus. Its reference length is theirs.

    method5 and method7 need statistics of one order more than they score. With preset="sacrebleu" and `bleu_stats(…)
    .sum(0)` this is sacrebleu's corpus BLEU, with preset="nltk" NLTK's, with hf_evaluate that of `evaluate`.
    """
    how = _convention(preset, smoothing, smoothing_value, effective_order, None)
    orders = (stats.shape[-1] - 2) // 3 - further_orders(how.smoothing)
    return _score(stats, how, _weights(weights, orders, stats, dtype))


def corpus_bleu(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
    max_n: int = 4,
    weights: Sequence[float] | Tensor | None = None,
    preset: Preset = "sacrebleu",
    smoothing: Smoothing | None = None,
    smoothing_value: float | None = None,
    effective_order: bool = False,
    backend: Backend | None = None,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, ""]:
    """BLEU of all rows together: matches and lengths are added before anything is divided."""
    if preset == "tensorbleu" or (smoothing and further_orders(smoothing)):
        raise UserError(
            f"there is no corpus BLEU for preset={preset!r}, smoothing={smoothing!r}: tensorbleu drops orders by the "
            "shortest row of the batch, method5 and method7 are made for sentences; choose another of each"
        )
    stats = bleu_stats(
        candidates,
        references,
        candidate_mask=candidate_mask,
        reference_mask=reference_mask,
        group_size=group_size,
        max_n=max_n,
        reference_length=PRESETS[preset].reference_length,
        backend=backend,
    ).sum(0)
    return bleu_of_stats(
        stats,
        weights=weights,
        preset=preset,
        smoothing=smoothing,
        smoothing_value=smoothing_value,
        effective_order=effective_order,
        dtype=dtype,
    )


def prefix_bleu(
    candidates: Int[Tensor, "B Lc"],
    references: Int[Tensor, "..."],
    *,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
    max_n: int = 4,
    weights: Sequence[float] | Tensor | None = None,
    preset: Preset = "sacrebleu",
    smoothing: Smoothing | None = None,
    smoothing_value: float | None = None,
    effective_order: bool | None = None,
    reference_length: ReferenceLength | None = None,
    backend: Backend | None = None,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "B Lc"]:
    """BLEU of the first 1, 2, … tokens of each candidate; at its last token it is `sentence_bleu`.

    Off the mask it is the score of what stood before. Differences along a row are a reward for each token that sums
    to the sentence's: potential-based shaping (Ng et al. 1999) without discount.
    """
    how = _convention(preset, smoothing, smoothing_value, effective_order, reference_length)
    given = batch(candidates, references, candidate_mask, reference_mask, group_size)
    orders = max_n + further_orders(how.smoothing)
    matches = (backend or fastest(given)).flags(given, orders).cumsum(-1).mT
    ends = _window_ends(given, orders)
    totals, lengths = ends.cumsum(1), ends[..., 0].cumsum(1)
    theirs = given.reference_lengths()[:, None].expand(*lengths.shape, -1)
    stats = _row(matches, totals, lengths, length_by_rule(lengths, theirs, how.reference_length))
    return _score(stats, how, _weights(weights, max_n, stats, dtype))


def _window_ends(given: Batch, orders: int) -> Int[Tensor, "B L N"]:
    """1 where an n-gram of the candidate ends."""
    mask = given.candidate_mask
    whole = torch.ones_like(given.candidates, dtype=torch.bool) if mask is None else mask
    ends, inside = [], whole
    for n in range(1, orders + 1):
        ends.append(inside)
        inside = pad(inside[:, :-1], (1, 0)) & whole if n < orders else inside
    return torch.stack(ends, -1).long()


def _stats(given: Batch, orders: int, rule: ReferenceLength, backend: Backend | None) -> Int[Tensor, "B C"]:
    matches, totals = (backend or fastest(given)).count(given, orders)
    lengths = totals[:, 0]
    return _row(matches, totals, lengths, length_by_rule(lengths, given.reference_lengths(), rule))


def _row(matches: Tensor, totals: Tensor, lengths: Tensor, references: Tensor) -> Int[Tensor, "*S C"]:
    return torch.cat([matches, totals, (totals == 0).long(), lengths[..., None], references[..., None]], -1)


def _score(stats: Int[Tensor, "*S C"], how: Convention, weights: Float[Tensor, "M"]) -> Float[Tensor, "*S"]:
    orders = (stats.shape[-1] - 2) // 3
    matches, totals, missing, lengths = stats.to(weights.dtype).split([orders, orders, orders, 2], -1)
    return how.score(Stats(matches, totals, missing, lengths[..., 0], lengths[..., 1]), how, weights)


def _convention(
    preset: Preset,
    smoothing: Smoothing | None,
    value: float | None,
    effective_order: bool | None,
    rule: ReferenceLength | None,
) -> Convention:
    if preset not in PRESETS:
        raise UserError(f"unknown preset {preset!r}; there are {', '.join(PRESETS)}")
    return convention(preset, smoothing, value, effective_order, rule)


def _weights(
    weights: Sequence[float] | Tensor | None, orders: int, like: Tensor, dtype: torch.dtype
) -> Float[Tensor, "M"]:
    if weights is None:
        return torch.full((orders,), 1 / orders, dtype=dtype, device=like.device)
    if len(weights) != orders:
        raise UserError(f"{len(weights)} weights for max_n={orders}: give one weight for each order")
    return torch.as_tensor(weights, dtype=dtype, device=like.device)
