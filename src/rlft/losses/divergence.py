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


def gaussian_kl(
    mean: Float[Tensor, "*S n"],
    std: Float[Tensor, "*S n"],
    to_mean: Float[Tensor, "*S n"],
    to_std: Float[Tensor, "*S n"],
) -> Float[Tensor, "*S"]:
    """KL(N(mean, std²) || N(to_mean, to_std²)) of independent numbers, summed over the last axis, in nats.

    Σ_n log(s'/s) + (s² + (m - m')²) / 2s'² - 1/2
    """
    ratio = std / to_std
    return 0.5 * (ratio.square() + ((mean - to_mean) / to_std).square() - 1 - 2 * ratio.log()).sum(dim=-1)


def balanced_kl(
    mean: Float[Tensor, "*S n"],
    std: Float[Tensor, "*S n"],
    to_mean: Float[Tensor, "*S n"],
    to_std: Float[Tensor, "*S n"],
    share: float,
) -> Float[Tensor, "*S"]:
    """share KL(sg q || p) + (1 - share) KL(q || sg p) (arXiv:2010.02193, Alg. 2): the value is that of KL(q || p).

    Of its gradient `share` moves p towards q, and the rest q towards p. share=1/2 is half of the plain gradient.
    """
    to_prior = gaussian_kl(mean.detach(), std.detach(), to_mean, to_std)
    return share * to_prior + (1 - share) * gaussian_kl(mean, std, to_mean.detach(), to_std.detach())
