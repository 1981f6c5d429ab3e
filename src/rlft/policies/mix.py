"""Which scores are added with which weights: emulated fine-tuning, guidance and their relatives. Knows no family.

A score is what a policy's decisions are drawn from and what adds up: logits over tokens, a denoiser's prediction.
Models that were tuned apart are joined by weighing their scores,

    s = w1·s1 + w2·s2 + ...        which is the geometric mean  π ∝ π1^w1 · π2^w2 · ...  of one decision,

and the functions here are the weights that have names. They return terms, of which `mixed` makes a policy.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor, nn

from rlft.types import Policy, UserError

Terms = Sequence[tuple[Policy, float]]
"""Policies and their weights. By default the first that has one lends the mix its settings: sampling, tokenizer."""


def emulated(large: Policy, tuned: Policy, reference: Policy, strength: float = 1.0) -> Terms:
    """large + strength·(tuned - reference): emulated fine-tuning (Mitchell et al. 2023, arXiv:2310.12962, Eq. 6).

    A tuned model is π_ref·exp(r/β)/Z for some reward, so the difference of a small pair's log-probabilities is a reward
    that can be laid over another base: LM up-scaling where that base is larger, down-scaling where it is smaller, and
    proxy-tuning (Liu et al. 2024, arXiv:2401.08565). `large is reference` gives `tuned`, at strength 1; strength 0
    gives `large`; above 1 it goes on in the direction of the tuning.
    """
    return [(tuned, strength), (large, 1.0), (reference, -strength)]


def guided(reference: Policy, tuned: Policy, weight: float) -> Terms:
    """reference + weight·(tuned - reference): RL guidance (arXiv:2508.21016); on tokens, decoding-time realignment
    (Liu et al. 2024, arXiv:2402.02992).

    Weight 0 is the reference, 1 the tuned model, more extrapolates. If `tuned` is the optimum at KL coefficient β and
    the decision is the whole row, this is the optimum at β/weight.
    """
    return [(tuned, weight), (reference, 1.0 - weight)]


def traded_off(base: Policy, tunes: Sequence[tuple[Policy, float]], reference: Policy | None = None) -> Terms:
    """base + Σ share·(tune - reference): several tunes of one reference, weighed when they are used
    (arXiv:2310.12962, Sec. 4.3). The reference is by default the base; a share of 1 for one tune is `emulated`."""
    shares = sum((share for _, share in tunes), 0.0)
    return [*tunes, (base, 1.0), (base if reference is None else reference, -shares)]


def contrasted(expert: Policy, amateur: Policy, weight: float) -> Terms:
    """expert + weight·(expert - amateur): contrastive decoding (Li et al. 2022, arXiv:2210.15097, in the form of
    O'Brien and Lewis 2023, arXiv:2309.09117). Weight 0 is the expert."""
    return [(expert, 1.0 + weight), (amateur, -weight)]


def merged(terms: Terms) -> tuple[list[Policy], list[float]]:
    """Each policy once, with the sum of its weights, without those of weight 0: no model is asked for nothing."""
    total: dict[int, float] = {}
    for policy, weight in terms:
        if not math.isfinite(weight):
            raise UserError(f"a weight of {weight} cannot be mixed: give finite numbers")
        total[id(policy)] = total.get(id(policy), 0.0) + weight
    kept = {id(policy): policy for policy, _ in terms if total[id(policy)] != 0}
    if not kept:
        raise UserError("a mix needs a policy whose weight is not 0")
    return list(kept.values()), [total[key] for key in kept]


@dataclass(frozen=True)
class Weighted:
    """Scores to their weighted sum."""

    weights: tuple[float, ...]

    def __call__(self, scores: Sequence[Float[Tensor, "*B"]]) -> Float[Tensor, "*B"]:
        total = self.weights[0] * scores[0]
        for weight, score in zip(self.weights[1:], scores[1:], strict=True):
            total = total + weight * score
        return total


Model = TypeVar("Model", bound=nn.Module)


def frozen_view(model: Model) -> Model:
    """The same weights, not a copy, without gradient: it follows the model's training and takes no part in it."""
    memo: dict[int, object] = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()}
    return copy.deepcopy(model, memo | {id(b): b for b in model.buffers()})
