"""Estimates of KL(pi || pi_ref) at each decision, from the log-probabilities of the decision taken (Schulman 2020).

With d = log pi - log pi_ref, and the decision drawn from pi, all three estimate the same number. Their *gradients*
are different things: that of k1 is zero on average, that of k2 is the gradient of KL(pi || pi_ref), and that of k3 the
gradient of KL(pi_ref || pi). As a reward (no gradient), use k1; as a loss, know which one you mean.
"""

from jaxtyping import Float
from torch import Tensor


def kl_k1(logp: Float[Tensor, "*S"], logp_ref: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """d: unbiased, of either sign."""
    return logp - logp_ref


def kl_k2(logp: Float[Tensor, "*S"], logp_ref: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """d²/2: biased to third order in d, low variance; the gradient of KL(pi || pi_ref) on on-policy decisions."""
    return (logp - logp_ref).square() / 2


def kl_k3(logp: Float[Tensor, "*S"], logp_ref: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """exp(-d) - 1 + d: unbiased and never negative."""
    d = logp - logp_ref
    return (-d).exp() - 1 + d
