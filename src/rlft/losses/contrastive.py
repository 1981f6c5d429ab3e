"""Contrast of pooled states: those of sampled chains of thought with those of annotated ones. Pure tensor functions.

CARFT (Zhu et al. 2025, arXiv:2508.15868) has two, one for chains that came to a right answer and one for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

Form = Literal["published", "repaired"]
"""Of the second: as the authors' code has it, or with the pair that is to be alike among its candidates."""

Signal = Literal["both", "right", "wrong"]


def cosines(a: Float[Tensor, "M H"], b: Float[Tensor, "J H"]) -> Float[Tensor, "M J"]:
    """cos(a_i, b_j) of all pairs."""
    return normalize(a, dim=1) @ normalize(b, dim=1).T


def toward_annotated(
    annotated: Float[Tensor, "M H"],
    sampled: Float[Tensor, "M H"],
    candidates: Float[Tensor, "J H"],
    temperature: float,
    most: float,
) -> Float[Tensor, "M"]:
    """-log exp(min(cos(a_i, z_i), most) / T) / sum_j exp(cos(a_i, z_j) / T), of chains that came to a right answer.

    The candidates are all sampled chains of the batch, the row's own among them. Beyond `most` a pair is alike enough:
    its numerator has no gradient any more, and the denominator keeps its own. All alike, it is log J, without a cap.
    """
    pair = (normalize(annotated, dim=1) * normalize(sampled, dim=1)).sum(1)
    return (cosines(annotated, candidates) / temperature).logsumexp(1) - pair.clamp(max=most) / temperature


def toward_missing(
    missing: Float[Tensor, "M H"],
    common: Float[Tensor, "M H"],
    wrong: Float[Tensor, "J H"],
    temperature: float,
    form: Form = "published",
) -> Float[Tensor, "M"]:
    """What a wrong chain has in common with the annotated one is drawn to what it lacks of it, off what it has instead.

        published   -log exp(cos(a_i, c_i) / T) / (exp(1 / T) + sum_j exp(cos(c_i, d_j) / T))
        repaired    -log exp(cos(a_i, c_i) / T) / (exp(cos(a_i, c_i) / T) + sum_j exp(cos(a_i, d_j) / T))

    a `missing`, c `common`, d `wrong` of all chains. As published the pair is not among the candidates: the denominator
    is that of c_i, whose likeness to itself stands there. So the loss is above 0 always, also for a perfect pair, and
    the pull on a pair does not fade as it becomes alike.
    """
    pair = (normalize(missing, dim=1) * normalize(common, dim=1)).sum(1, keepdim=True) / temperature
    first, anchor = (torch.full_like(pair, 1 / temperature), common) if form == "published" else (pair, missing)
    return torch.cat([first, cosines(anchor, wrong) / temperature], dim=1).logsumexp(1) - pair[:, 0]


@dataclass(frozen=True)
class Contrast:
    """The loss of a batch's chains, `collect.contrast.Chains`: the mean over right rows of the first, that over wrong
    rows of the second, or half of each; 0 without such a row. Its candidates are the chains of all rows.

    signal       which of the two
    form         of the second
    temperature  of both
    most         the cap of the first
    """

    signal: Signal = "both"
    form: Form = "published"
    temperature: float = 0.2
    most: float = 0.9

    def __call__(self, chains: Any) -> Tensor:
        good, bad = chains.right & chains.known, ~chains.right & chains.apart
        pairs, others = (chains.annotated[good], chains.whole[good]), chains.whole[chains.known]
        right = toward_annotated(*pairs, others, self.temperature, self.most)
        pairs, others = (chains.missing[bad], chains.common[bad]), chains.wrong[chains.apart]
        wrong = toward_missing(*pairs, others, self.temperature, self.form)
        parts = {"both": (right, wrong), "right": (right,), "wrong": (wrong,)}[self.signal]
        return torch.stack([part.sum() / max(len(part), 1) for part in parts]).mean()
