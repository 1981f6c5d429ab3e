"""What critics are fitted to: values of states, targets from windows, losses of a fit. Pure functions of tensors.

E members, B states, n proposals in each, H steps of a window.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.offpolicy.buffer import Batch
from rlft.types.acting import Candidates

Aggregate = Callable[[Tensor, torch.Generator], Tensor]
"""`([E …], generator) -> […]`: one opinion out of E."""


def least(members: int | None = None) -> Aggregate:
    """The least of a random subset of this many members (REDQ, arXiv:2101.05982), anew each time; None: of all."""

    def aggregate(q: Tensor, generator: torch.Generator) -> Tensor:
        if members is None or members >= len(q):
            return q.amin(dim=0)
        chosen = torch.randperm(len(q), generator=generator)[:members].to(q.device)
        return q[chosen].amin(dim=0)

    return aggregate


def mean(q: Tensor, generator: torch.Generator) -> Tensor:
    """The mean of all members."""
    return q.mean(dim=0)


def soft_value(candidates: Candidates, q: Float[Tensor, "B n"], alpha: Tensor | float) -> Float[Tensor, "B"]:
    """E_π [Q - alpha log π] (arXiv:1812.05905, Eq. 3). alpha=0: the mean of Q under the policy."""
    return (candidates.log_weight.exp() * (q - alpha * candidates.log_prob)).sum(dim=1)


def best_value(q: Float[Tensor, "B n"]) -> Float[Tensor, "B"]:
    """The best of the proposals, as in CQL's backup with a maximum over ten actions (arXiv:2006.04779, App. F)."""
    return q.amax(dim=1)


def td_target(batch: Batch, value: Float[Tensor, "B"], gamma: float) -> Float[Tensor, "B"]:
    """y = Σ_{i<k} gamma^i r_i + gamma^k (1 - terminated) V(s_k), k the window's own number of steps.

    With windows of one step it is one-step temporal difference. An episode that was cut off is bootstrapped, one that
    ended is not.
    """
    if batch.reward.shape[1] == 1:
        return batch.reward[:, 0] + gamma * torch.where(batch.terminated, 0, value)
    powers = gamma ** torch.arange(batch.reward.shape[1], device=value.device, dtype=value.dtype)
    rewards = (batch.reward * powers).sum(dim=1)
    return rewards + gamma ** batch.valid.sum(dim=1).to(value.dtype) * torch.where(batch.terminated, 0, value)


def squared_error(q: Float[Tensor, "E B"], target: Float[Tensor, "B"]) -> Float[Tensor, ""]:
    """Σ_E mean_B 1/2 (Q - y)²: each member learns as if it were alone."""
    return 0.5 * (q - target).square().mean(dim=1).sum()


def expectile_error(value: Float[Tensor, "B"], target: Float[Tensor, "B"], expectile: float) -> Float[Tensor, ""]:
    """mean_B |expectile - 1[y < V]| (y - V)² (IQL, arXiv:2110.06169, Eq. 5).

    0.5 is half of the squared error, whose minimum is the mean; towards 1 it approaches the largest target.
    """
    difference = target - value
    return (torch.where(difference < 0, 1 - expectile, expectile) * difference.square()).mean()
