"""From counts to BLEU: the smoothings of Chen and Cherry 2014 (W14-3346), and what four libraries make of the rest.

    BLEU = BP · exp Σ_n w_n log p_n          BP = 1 if c ≥ r, else exp(1 - r / c); 0 if c = 0

Precisions p_n come from matches m_n and numbers of n-grams d_n; a missing order (d_n = 0) counts as d_n = 1 here:

    none      m / d
    floor     m / d, ε / d where m = 0                                              value ε = 0.1
    add-k     m / d for n = 1, (m + k) / (d + k) for n > 1 (Lin and Och 2004)       value k = 1
    exp       1 / (2^j d) for the j-th order with m = 0                             as NIST's mteval
    method4   ln(c) / (2^j K d) for the j-th order with m = 0                       value K = 5
    method5   p_n ← (p_{n-1} smoothed + p_n + p_{n+1}) / 3, p_0 = p_1 + 1
    method7   method4, then method5

How the four differ is in the functions below. `Stats` can be of a sentence, of every prefix of one, or of a corpus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

Smoothing = Literal["none", "floor", "add-k", "exp", "method4", "method5", "method7"]
ReferenceLength = Literal["closest", "shortest", "longest", "first-closest"]
Preset = Literal["nltk", "sacrebleu", "hf_evaluate", "tensorbleu"]

# Of a length.
_BITS = 30
_VALUES = {"floor": 0.1, "add-k": 1.0, "method4": 5.0, "method7": 5.0}


class Stats(NamedTuple):
    """Counts in a floating dtype. `missing` is the number of sentences without an n-gram of that order."""

    matches: Float[Tensor, "*S N"]
    totals: Float[Tensor, "*S N"]
    missing: Float[Tensor, "*S N"]
    candidate: Float[Tensor, "*S"]
    reference: Float[Tensor, "*S"]


@dataclass(frozen=True)
class Convention:
    """A library's reading of BLEU: what it smooths by default, and how it scores."""

    smoothing: Smoothing
    effective_order: bool
    reference_length: ReferenceLength
    score: Callable[[Stats, Convention, Float[Tensor, "M"]], Tensor]
    value: float | None = None

    def smoothing_value(self) -> float:
        """ε, k or K."""
        return _VALUES.get(self.smoothing, 0.0) if self.value is None else self.value


def further_orders(smoothing: Smoothing) -> int:
    """How many orders beyond the highest one a smoothing looks at."""
    return 1 if smoothing in ("method5", "method7") else 0


def precisions(stats: Stats, convention: Convention, orders: int) -> Float[Tensor, "*S M"]:
    """p_n as in the table above."""
    m, d = stats.matches, stats.totals + stats.missing
    value, p, zero = convention.smoothing_value(), m / d.clamp(min=1), m == 0
    nth = p[..., :orders]
    match convention.smoothing:
        case "none":
            return nth
        case "floor":
            return torch.where(zero, value / d.clamp(min=1), p)[..., :orders]
        case "add-k":
            return torch.cat([p[..., :1], (m[..., 1:] + value) / (d[..., 1:] + value)], -1)[..., :orders]
        case "exp":
            return torch.where(zero[..., :orders], _halvings(nth) / d.clamp(min=1)[..., :orders], nth)
        case "method4":
            return _method4(stats, nth, value)
        case "method5":
            return _method5(nth, p)
        case "method7":
            return _method5(_method4(stats, nth, value), p)


def _halvings(p: Tensor) -> Tensor:
    """2^-j at and after the j-th order without a match."""
    return torch.exp2(-(p == 0).long().cumsum(-1).to(p.dtype))


def _method4(stats: Stats, p: Tensor, value: float) -> Tensor:
    length, orders = stats.candidate[..., None], p.shape[-1]
    d = (stats.totals + stats.missing)[..., :orders].clamp(min=1)
    smoothed = _halvings(p) * length.clamp(min=1).log() / value / d
    return torch.where(stats.matches[..., :orders] == 0, smoothed, p)


def _method5(p: Tensor, further: Tensor) -> Tensor:
    """`further` is the precision of the order after the last."""
    out, before, after = [], p[..., 0] + 1, torch.cat([p[..., 1:], further[..., -1:]], -1)
    for n in range(p.shape[-1]):
        before = (before + p[..., n] + after[..., n]) / 3
        out.append(before)
    return torch.stack(out, -1)


def brevity(stats: Stats) -> Float[Tensor, "*S"]:
    """The brevity penalty."""
    penalty = (1 - stats.reference / stats.candidate.clamp(min=1)).clamp(max=0).exp()
    return torch.where(stats.candidate > 0, penalty, 0.0)


def _geometric(p: Tensor, weights: Tensor, counted: Tensor) -> Tensor:
    """exp Σ w log p over the orders that are counted; 0 if one of them is 0."""
    logs = torch.where(counted, p.clamp(min=torch.finfo(p.dtype).tiny), 1.0).log()
    return torch.where((counted & (p <= 0)).any(-1), 0.0, (weights * logs).sum(-1).exp())


def as_nltk(stats: Stats, convention: Convention, weights: Tensor) -> Tensor:
    """NLTK 3.9: missing orders have d = 1, also in the sum over a corpus; without smoothing 0 is 2^-1022; what a
    smoothing leaves at 0 is not counted (method4 with a single token). Without a matched unigram 0."""
    p = precisions(stats, convention, len(weights))
    if convention.smoothing == "none":
        p = p.clamp(min=torch.finfo(p.dtype).tiny)
    score = brevity(stats) * _geometric(p, *_effective(stats, convention, weights, p > 0))
    return torch.where(stats.matches[..., 0] > 0, score, 0.0)


def as_sacrebleu(stats: Stats, convention: Convention, weights: Tensor) -> Tensor:
    """sacrebleu 2: missing orders are 0, or left out with `effective_order`, which shares their weight among the
    others. add-k smooths missing orders too. Without a match 0. On a scale to 1, not 100."""
    stats = stats._replace(missing=torch.zeros_like(stats.missing))
    p = precisions(stats, convention, len(weights))
    if convention.smoothing != "add-k":
        p = torch.where(stats.totals[..., : len(weights)] > 0, p, 0.0)
    everything = torch.ones_like(p, dtype=torch.bool)
    score = brevity(stats) * _geometric(p, *_effective(stats, convention, weights, everything))
    return torch.where(stats.matches[..., : len(weights)].sum(-1) > 0, score, 0.0)


def as_hf_evaluate(stats: Stats, convention: Convention, weights: Tensor) -> Tensor:
    """Hugging Face `evaluate`: add-k smooths unigrams too, so that a candidate without a match scores above 0."""
    if convention.smoothing != "add-k":
        return as_sacrebleu(stats, convention, weights)
    value, orders = convention.smoothing_value(), len(weights)
    p = (stats.matches[..., :orders] + value) / (stats.totals[..., :orders] + value)
    everything = torch.ones_like(p, dtype=torch.bool)
    return brevity(stats) * _geometric(p, *_effective(stats, convention, weights, everything))


def as_tensorbleu(stats: Stats, convention: Convention, weights: Tensor) -> Tensor:
    """rxlm 0.3 (arXiv:2510.05485), errors included: `exp` puts 1e-12 for 0, add-k smooths unigrams and gives missing
    orders 1, 1e-12 is added to every precision. For reproduction only."""
    m, d = stats.matches[..., : len(weights)], stats.totals[..., : len(weights)]
    value, p = convention.smoothing_value(), m / d.clamp(min=1)
    if convention.smoothing == "floor":
        p = torch.where(m == 0, value, m) / d.clamp(min=1)
    elif convention.smoothing == "add-k":
        p = (m + value) / (d + value)
    elif convention.smoothing == "exp":
        p = torch.where(p == 0, 1e-12, p)
    return brevity(stats) * (weights * (p + 1e-12).log()).sum(-1).exp()


def _effective(stats: Stats, convention: Convention, weights: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Weights, and which orders count: with `effective_order` those that the candidate is long enough for."""
    if not convention.effective_order:
        return weights, counted
    there = stats.totals[..., : len(weights)] > 0
    if convention.smoothing == "add-k":
        there = torch.ones_like(there)
    shared = torch.where(there, weights, 0.0)
    return shared * weights.sum() / shared.sum(-1, keepdim=True).clamp(
        min=torch.finfo(shared.dtype).tiny
    ), counted & there


PRESETS: dict[Preset, Convention] = {
    "nltk": Convention("none", False, "closest", as_nltk),
    "sacrebleu": Convention("exp", True, "closest", as_sacrebleu),
    "hf_evaluate": Convention("add-k", False, "shortest", as_hf_evaluate),
    "tensorbleu": Convention("exp", False, "first-closest", as_tensorbleu),
}


def convention(
    preset: Preset,
    smoothing: Smoothing | None,
    value: float | None,
    effective_order: bool | None,
    reference_length: ReferenceLength | None,
) -> Convention:
    """A preset with what was asked for otherwise."""
    base = PRESETS[preset]
    return replace(
        base,
        smoothing=smoothing or base.smoothing,
        value=value,
        effective_order=base.effective_order if effective_order is None else effective_order,
        reference_length=reference_length or base.reference_length,
    )


def reference_length(
    candidate: Int[Tensor, "*S"], references: Int[Tensor, "*S R"], rule: ReferenceLength
) -> Int[Tensor, "*S"]:
    """r of the brevity penalty: the closest length, the shorter of two as close; absent references (0) do not count."""
    if references.shape[-1] == 1:
        return references[..., 0]
    absent, far = references == 0, 1 << 62
    if rule == "first-closest":
        nearest = (references - candidate[..., None]).abs().min(-1, keepdim=True).indices
        return references.gather(-1, nearest)[..., 0]
    if rule == "longest":
        return references.amax(-1)
    if rule == "shortest":
        shortest = torch.where(absent, far, references).amin(-1)
        return torch.where(absent.all(-1), 0, shortest)
    # Distance first, then length, in one integer.
    order = ((references - candidate[..., None]).abs() << _BITS) + references
    nearest = torch.where(absent, far, order).amin(-1) & ((1 << _BITS) - 1)
    return torch.where(absent.all(-1), 0, nearest)
