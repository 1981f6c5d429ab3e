"""Credit of each decision from a critic, or from the rewards that follow it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlft.advantages.shaping import rewards_of_decisions, whiten
from rlft.types import Credit, Rollouts, Runtime


def gae_scan(
    reward: Float[Tensor, "N D"],
    values: Float[Tensor, "N D"],
    mask: Bool[Tensor, "N D"],
    gamma: float,
    lam: float,
) -> Float[Tensor, "N D"]:
    """Generalised advantage estimation (arXiv:1506.02438, Eq. 16), backwards over each row's own decisions.

        A_d = delta_d + gamma lam A_d',    delta_d = r_d + gamma V_d' - V_d

    d' is the row's next decision on the mask; what stands between (a tool's tokens, an ODE step) is passed over. After
    the last decision V is 0. lam = 1 is the discounted return minus the value; lam = 0 one-step temporal difference.
    """
    advantages = torch.zeros_like(reward)
    ahead, value = reward.new_zeros(len(reward)), reward.new_zeros(len(reward))
    for d in reversed(range(reward.shape[1])):
        here = mask[:, d]
        delta = reward[:, d] + gamma * value - values[:, d]
        ahead = torch.where(here, delta + gamma * lam * ahead, ahead)
        value = torch.where(here, values[:, d], value)
        advantages[:, d] = torch.where(here, ahead, 0)
    return advantages


def return_to_go(reward: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"], gamma: float = 1.0) -> Float[Tensor, "N D"]:
    """The discounted sum of the rewards from each decision on: `gae_scan` without a critic and with lam = 1."""
    return gae_scan(reward, torch.zeros_like(reward), mask, gamma, 1.0)


def gae(gamma: float, lam: float, beta: float = 0.0, normalise: bool = True) -> Credit:
    """Advantages by GAE, whitened over all decisions of the batch, and the returns that the critic is fitted to.

    `beta` > 0 puts -beta (log pi_old - log pi_ref) into each decision's reward, as InstructGPT does.
    """

    def credit(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        reward = rewards_of_decisions(rollouts, beta)
        advantages = gae_scan(reward, rollouts.values, rollouts.mask, gamma, lam)
        returns = torch.where(rollouts.mask, advantages + rollouts.values, 0)
        if normalise:
            advantages = whiten(advantages, rollouts.mask, runtime)
        return {"advantages": advantages, "returns": returns}

    return credit
