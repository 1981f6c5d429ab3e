"""Policy-gradient losses of each decision. Minimise them: a positive advantage makes the decision likelier."""

from jaxtyping import Bool, Float
from torch import Tensor


def policy_gradient(logp: Float[Tensor, "N D"], advantages: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    """-A log pi, the score-function loss (Williams 1992). Its gradient is right only for on-policy decisions."""
    return -advantages * logp


def ppo_clip(
    ratio: Float[Tensor, "*S"], advantages: Float[Tensor, "*S"], low: float, high: float
) -> Float[Tensor, "*S"]:
    """-min(r A, clip(r, 1-low, 1+high) A), Eq. 7 of arXiv:1707.06347 with a bound for each side.

    At r = 1 its gradient is that of `policy_gradient`; with infinite bounds it is importance sampling.
    """
    bounded = ratio.clamp(1 - low, 1 + high)
    return -(ratio * advantages).minimum(bounded * advantages)


def clipped(ratio: Float[Tensor, "*S"], advantages: Float[Tensor, "*S"], low: float, high: float) -> Bool[Tensor, "*S"]:
    """Where `ppo_clip` has no gradient because the ratio has left its bounds in the direction of the advantage."""
    return ((ratio > 1 + high) & (advantages > 0)) | ((ratio < 1 - low) & (advantages < 0))


def sequence_ratio(
    logp: Float[Tensor, "N D"], logp_old: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"]
) -> Float[Tensor, "N 1"]:
    """exp(mean over a row's decisions of log r), Eq. 7 of arXiv:2507.18071: one length-normalised ratio per row."""
    log_ratio = (logp - logp_old).masked_fill(~mask, 0)
    return (log_ratio.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)).exp()


def cispo_weight(ratio: Float[Tensor, "N D"], low: float, high: float) -> Float[Tensor, "N D"]:
    """sg(clip(r, 1-low, 1+high)), Eq. 5 of arXiv:2506.13585: a bounded importance weight without gradient."""
    return ratio.detach().clamp(1 - low, 1 + high)
