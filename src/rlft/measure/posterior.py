"""Exact quantities of distributions over a finite set, given as log-probabilities [M]. Nothing here is estimated.

For a prior pi0, a reward r and a temperature beta the target is the posterior p = pi0 exp(r / beta) / Z, and for every
policy pi (arXiv:2205.11275)

    J(pi) = E_pi[r] - beta KL(pi || pi0) = beta log Z - beta KL(pi || p),

so that max J = beta log Z: max r over the support of pi0 as beta -> 0, E_pi0[r] as beta -> infinity.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def log_partition(log_prior: Float[Tensor, "M"], rewards: Float[Tensor, "M"], beta: float) -> Float[Tensor, ""]:
    """log Z = log E_pi0[exp(r / beta)]."""
    return (log_prior + rewards / beta).logsumexp(0)


def posterior(log_prior: Float[Tensor, "M"], rewards: Float[Tensor, "M"], beta: float) -> Float[Tensor, "M"]:
    """log p, p = pi0 exp(r / beta) / Z. A constant added to r changes nothing."""
    return (log_prior + rewards / beta).log_softmax(0)


def kl(log_p: Float[Tensor, "M"], log_q: Float[Tensor, "M"]) -> Float[Tensor, ""]:
    """KL(p || q) = sum p log(p/q), in nats; infinite where q misses what p has."""
    return torch.where(log_p > -torch.inf, log_p.exp() * (log_p - log_q), 0).sum()


def entropy(log_p: Float[Tensor, "M"]) -> Float[Tensor, ""]:
    """-sum p log p, in nats."""
    return -torch.where(log_p > -torch.inf, log_p.exp() * log_p, 0).sum()


def objective(
    log_pi: Float[Tensor, "M"], log_prior: Float[Tensor, "M"], rewards: Float[Tensor, "M"], beta: float
) -> Float[Tensor, ""]:
    """J(pi) = E_pi[r] - beta KL(pi || pi0)."""
    return (log_pi.exp() * rewards).sum() - beta * kl(log_pi, log_prior)
