"""Losses of all pairs of a group: what two rows of one problem should differ by. Not for a chosen and a rejected row
(`losses.preference`), and without the mean over pairs.

PRDP (Deng et al. 2024, arXiv:2402.08714) starts from the best policy of the KL-regularised objective,

    pi*(y) = pi_ref(y) exp(R(y)/beta) / Z,    so    log pi*/pi_ref(a) - log pi*/pi_ref(b) = (R(a) - R(b)) / beta

for every two rows a, b of a problem: Z, and whatever else the problem adds to all its rewards, is not in it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def differences(values: Float[Tensor, "P G"]) -> Float[Tensor, "P J"]:
    """x_a - x_b for the J = G(G-1)/2 pairs a < b of each group, in the order (0, 1), (0, 2), …, (G-2, G-1)."""
    first, second = torch.triu_indices(values.shape[1], values.shape[1], offset=1, device=values.device)
    return values[:, first] - values[:, second]


def reward_difference(
    log_ratio: Float[Tensor, "P G"], rewards: Float[Tensor, "P G"], beta: float
) -> Float[Tensor, "P J"]:
    """(Δ log pi/pi_ref - ΔR / beta)² of every pair: reward difference prediction, RDP (arXiv:2402.08714).

    `log_ratio` are those of whole rows, in nats: sums over decisions. 0 for all pairs if and only if the policy is pi*
    on these rows. A NaN reward makes its pairs NaN.
    """
    return (differences(log_ratio) - differences(rewards) / beta).square()


def proximal(logp: Float[Tensor, "*S"], old: Float[Tensor, "*S"], clip: float) -> Float[Tensor, "*S"]:
    """log pi held within ±clip of log pi_old, in nats; beyond it has no gradient. An infinite clip leaves `logp`."""
    return old + (logp - old).clamp(-clip, clip)


def proximal_reward_difference(
    log_ratio: Float[Tensor, "P G"], held: Float[Tensor, "P G"], rewards: Float[Tensor, "P G"], beta: float
) -> Float[Tensor, "P J"]:
    """The larger of the pair's loss and of its loss from the `held` log-ratios, whose decisions are `proximal`.

    As in PPO it is the pessimist's choice: a step that leaves the bounds to lower the loss has no gradient, one that
    raised it has to come back. With `held = log_ratio` it is `reward_difference`.
    """
    return reward_difference(log_ratio, rewards, beta).maximum(reward_difference(held, rewards, beta))
