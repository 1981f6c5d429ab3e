"""Losses of a ranking: how likely the rows of a problem should be beside one another. Not for one pair of rows
(`losses.preference`), and not for differences of a given size (`losses.pairs`).

A row's score is the mean over its decisions of log pi, so that long rows are not unlikely for their length. Ranks are
numbers that are larger for better rows; only their order counts, and a row whose rank is NaN stands in no pair.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def mean_log_prob(logp: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"]) -> Float[Tensor, "N"]:
    """p_i = 1/|i| sum_d log pi(d), in nats a decision (arXiv:2304.05302, Eq. 1); 0 of a row without decisions."""
    return torch.where(mask, logp, 0).sum(1) / mask.sum(1).clamp(min=1)


def rrhf(scores: Float[Tensor, "P G"], ranks: Float[Tensor, "P G"]) -> Float[Tensor, "P"]:
    """sum over pairs with rank_i < rank_j of max(0, p_i - p_j): RRHF's ranking loss (arXiv:2304.05302, Eq. 2).

    0 if and only if no worse row is likelier. Its gradient is that of the pairs in the wrong order alone, 1 for the
    worse row and -1 for the better one of each.
    """
    worse = ranks[:, :, None] < ranks[:, None, :]
    wrong = (scores[:, :, None] - scores[:, None, :]).clamp(min=0)
    return torch.where(worse, wrong, 0).sum((1, 2))


def pro(scores: Float[Tensor, "P G"], ranks: Float[Tensor, "P G"]) -> Float[Tensor, "P"]:
    """-sum_k log exp(p_k) / sum_(i from k on) exp(p_i), rows from the best to the worst: the ranking loss of PRO
    (arXiv:2306.17492, Eq. 5), the likelihood of the order by Plackett and Luce.

    Where all scores are equal it is log n!, of n rows that are ranked. It has a gradient also where the order is right.
    Of rows with equal ranks the first stands first.
    """
    known = ~ranks.isnan()
    order = torch.where(known, ranks, -torch.inf).argsort(dim=1, descending=True, stable=True)
    ranked, there = scores.gather(1, order), known.gather(1, order)
    # where, and a finite number: an infinite one would make NaN of the gradient of a problem that nobody has ranked
    held = torch.where(there, ranked, torch.finfo(scores.dtype).min)
    rest = held.flip(1).logcumsumexp(1).flip(1)
    return torch.where(there, rest - ranked, 0).sum(1)


def best(scores: Float[Tensor, "P G"], ranks: Float[Tensor, "P G"]) -> Float[Tensor, "P"]:
    """The score of the first row with the highest rank; of a problem that nobody has ranked its first row's."""
    return scores.gather(1, torch.where(ranks.isnan(), -torch.inf, ranks).argmax(1, keepdim=True))[:, 0]
