"""Whether probabilities are as often right as they say, and the one number that mends most of it. Trains no model."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

_COLDEST, _HOTTEST, _STEPS = 1 / 100.0, 100.0, 60


def expected_calibration_error(logits: Float[Tensor, "N L"], labels: Int[Tensor, "N"], bins: int = 10) -> float:
    """ECE of the likeliest label (Guo et al. 2017, arXiv:1706.04599, Eq. 3):

        sum_b n_b / N |accuracy_b - confidence_b|

    over bins ((b-1)/bins, b/bins] of the confidence, the softmax's largest value.
    """
    confidence, said = logits.double().softmax(-1).max(-1)
    right = (said == labels).double()
    place = (confidence * bins).ceil().clamp(1, bins).long() - 1
    gap = torch.zeros(bins, dtype=torch.float64).index_add_(0, place.cpu(), (right - confidence).cpu())
    return float(gap.abs().sum() / len(labels))


def temperature(logits: Float[Tensor, "N L"], labels: Int[Tensor, "N"]) -> float:
    """T > 0 with the least -log softmax(logits / T) on average (Guo et al. 2017, Sec. 4.2).

    Of N examples each has its label with (N + 1) / (N + 2) and the others with the rest (Platt 1999, Eq. 2.4), so that
    a few examples that are all right do not make it certain. The loss is convex in 1/T; T is held between 1/100 and
    100, and changes no order.
    """
    held, low, high = logits.double(), 1 / _HOTTEST, 1 / _COLDEST
    count, kinds = held.shape
    target = torch.full_like(held, 1 / ((count + 2) * (kinds - 1)))
    target.scatter_(-1, labels[:, None], (count + 1) / (count + 2))

    def slope(inverse: float) -> float:
        """Of the mean loss by 1/T."""
        shares = (held * inverse).softmax(-1)
        return float(((shares - target) * held).sum(-1).mean())

    for _ in range(_STEPS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 1 / (low * high) ** 0.5
