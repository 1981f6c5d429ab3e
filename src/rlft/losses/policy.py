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
    return _per_row(logp - logp_old, mask)


def _per_row(log_ratio: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"]) -> Float[Tensor, "N 1"]:
    """exp(mean over a row's decisions)."""
    log_ratio = log_ratio.masked_fill(~mask, 0)
    return (log_ratio.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)).exp()


def cispo_weight(ratio: Float[Tensor, "N D"], low: float, high: float) -> Float[Tensor, "N D"]:
    """sg(clip(r, 1-low, 1+high)), Eq. 5 of arXiv:2506.13585: a bounded importance weight without gradient."""
    return ratio.detach().clamp(1 - low, 1 + high)


def token_of_sequence(logp: Float[Tensor, "N D"], ratio: Float[Tensor, "N 1"]) -> Float[Tensor, "N D"]:
    """sg(s_i) pi(d) / sg(pi(d)), Eq. 14 of arXiv:2507.18071: a row's ratio in value, a decision's in gradient.

    `ratio` is the row's, `sequence_ratio`. With one advantage for all decisions of a row, the mean over them has the
    gradient of s_i itself.
    """
    return ratio.detach() * (logp - logp.detach()).exp()


def geometric_ratio(
    log_ratio: Float[Tensor, "N D"],
    advantages: Float[Tensor, "N D"],
    mask: Bool[Tensor, "N D"],
    low: float,
    high: float,
) -> Float[Tensor, "N 1"]:
    """exp(mean over a row's decisions of held log r): GMPO's geometric mean of clipped ratios (arXiv:2507.20673).

    Held is what `ppo_clip` holds, in nats: min(log r, high) where A > 0, max(log r, -low) where A < 0; beyond it a
    decision has no gradient and the row's others keep theirs. With infinite bounds it is `sequence_ratio`.
    """
    held = log_ratio.clamp(max=high).where(advantages > 0, log_ratio.clamp(min=-low))
    return _per_row(held, mask)


def preserved_clip(
    ratio: Float[Tensor, "*S"],
    advantages: Float[Tensor, "*S"],
    low: float,
    high: float,
    below: float,
    above: float,
) -> Float[Tensor, "*S"]:
    """`ppo_clip` in value, with some of the gradient that it stops: CE-GPPO (arXiv:2509.20712).

        r > 1 + high and A > 0     gradient  -above (1 + high) A grad log pi
        r < 1 - low  and A < 0     gradient  -below (1 - low)  A grad log pi

    So what a decision beyond a bound pulls with is what it would at the bound, times `below` or `above`, however far it
    is. 0 and 0 are `ppo_clip`, in gradient too.
    """
    loss, one = ppo_clip(ratio, advantages, low, high), ratio / ratio.detach()
    up, down = (ratio > 1 + high) & (advantages > 0), (ratio < 1 - low) & (advantages < 0)
    loss = (loss - above * (1 + high) * advantages * (one - 1)).where(up, loss)
    return (loss - below * (1 - low) * advantages * (one - 1)).where(down, loss)


def shaped(logp: Float[Tensor, "*S"], gamma: float) -> Float[Tensor, "*S"]:
    """f(pi) = pi / (pi + gamma): LUFFY's policy shaping (arXiv:2504.14945).

    Where pi is far below gamma its gradient is that of pi / gamma, pi/gamma grad log pi, and so larger than that of pi,
    1/gamma times; at pi = 1 it is gamma / (1 + gamma)^2 grad log pi, nearly none.
    """
    return logp.exp() / (logp.exp() + gamma)
