"""Where a reward's gradient is cut off, and how far a network has gone from its reference. Not the gradient itself,
which a policy that is `types.Pathwise` gives, nor the reward.

    DRaFT       the whole chain                       Clark et al. 2023, arXiv:2309.17400
    DRaFT-K     its last K steps
    AlignProp   its last K, K drawn anew              Prabhudesai et al. 2023, arXiv:2310.03739
    ReFL        one late step, and what is predicted there   Xu et al. 2023, arXiv:2304.05977
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.noise import hashed
from rlft.types import Rollouts, UserError


def last_steps(rollouts: Rollouts, count: int) -> Int[Tensor, "N"]:
    """The step from which the last `count` of D are left; 0 where there are no more than that."""
    if count < 1:
        raise UserError(f"a gradient through the last {count} steps: give at least 1")
    steps = rollouts.mask.shape[1]
    return torch.full((len(rollouts),), max(steps - count, 0), device=rollouts.mask.device)


def random_last_steps(rollouts: Rollouts, most: int) -> Int[Tensor, "N"]:
    """`last_steps` with a number of each row's own, uniform on 1 to min(`most`, D).

    It is hashed from the row's problem and its place in the batch, so that no cut of the batch changes it.
    """
    most = min(most, rollouts.mask.shape[1])
    first = last_steps(rollouts, most)
    pairs = zip(rollouts.problems, rollouts.position.tolist(), strict=True)
    fewer = [hashed("last steps", *problem.key, place) % most for problem, place in pairs]
    return first + torch.tensor(fewer, device=first.device, dtype=first.dtype)


def velocity_distance(predicted: Float[Tensor, "N D *S"], reference: Float[Tensor, "N D *S"]) -> Float[Tensor, "N"]:
    """Σ_t |v_t - v'_t|², the squared norm of all numbers of a step, added over a row's steps; float64."""
    return (predicted - reference).flatten(1).square().sum(dim=1, dtype=torch.float64)
