"""Losses of a critic at each decision."""

from jaxtyping import Float
from torch import Tensor


def value_clip(
    values: Float[Tensor, "*S"], old: Float[Tensor, "*S"], returns: Float[Tensor, "*S"], clip: float
) -> Float[Tensor, "*S"]:
    """½ max((V - R)², (clip(V, V_old ± clip) - R)²), as in PPO's published code.

    With an infinite clip it is half the squared error.
    """
    bounded = old + (values - old).clamp(-clip, clip)
    return (values - returns).square().maximum((bounded - returns).square()) / 2
