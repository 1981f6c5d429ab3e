"""From the loss of each decision to a `Loss`: score the rows, apply an objective, add up. Knows no policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlft.losses.policy import clipped, ppo_clip
from rlft.types import Loss, Policy, Rollouts, Total

Objective = Callable[[Tensor, Rollouts], "Tensor | tuple[Tensor, dict[str, Tensor]]"]
"""`(logp, rollouts) -> [N D]`, the loss of each decision; a second value names [N D] quantities to log."""

Reduce = Callable[[Tensor, Tensor], Total]


def token_mean(loss: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"]) -> Total:
    """Every decision of the batch counts the same, so a long row counts more (arXiv:2503.14476, Eq. 8)."""
    return Total(_on(mask, loss).sum(), mask.sum())


def sample_mean(loss: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"]) -> Total:
    """Every row counts the same: the mean over its decisions, then over rows (arXiv:2402.03300, Eq. 3)."""
    length = mask.sum(1)
    return Total((_on(mask, loss).sum(1) / length.clamp(min=1)).sum(), (length > 0).sum())


def sample_sum(loss: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"]) -> Total:
    """The sum over a row's decisions, then the mean over rows: the log-probability of the whole row."""
    return Total(_on(mask, loss).sum(), mask.any(1).sum())


def fixed_length(length: int) -> Reduce:
    """The sum over a row's decisions over a constant, then the mean over rows (arXiv:2503.20783)."""

    def reduce(loss: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"]) -> Total:
        total = sample_sum(loss, mask)
        return Total(total.sum / length, total.weight)

    return reduce


def _on(mask: Tensor, values: Tensor) -> Tensor:
    # where, not a product: what stands off the mask may be infinite, and its gradient must be zero
    return torch.where(mask, values, 0.0)


def clip_objective(low: float, high: float) -> Objective:
    """PPO's clip of each decision's ratio, `losses.ppo_clip`, and as `clipped` where it has stopped the gradient."""

    def objective(logp: Float[Tensor, "N D"], rollouts: Rollouts) -> tuple[Tensor, dict[str, Tensor]]:
        ratio = (logp - rollouts.logp_old).exp()
        loss = ppo_clip(ratio, rollouts.advantages, low, high)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, low, high)}

    return objective


def surrogate(objective: Objective, reduce: Reduce) -> Loss:
    """The loss of a policy-gradient method: `log_prob`, `objective`, `reduce`, and how far the policy has moved.

    It logs `ratio/mean` and `drift` (the k3 estimate of KL(old || new), nats a decision), and as peaks `ratio/first`,
    the largest |r - 1|, which must be zero at the first update of a step.
    """

    def loss(policy: Policy, rollouts: Rollouts) -> Total:
        logp = policy.log_prob(rollouts)
        per_decision, extra = _with_extra(objective(logp, rollouts))
        total = reduce(per_decision.expand_as(logp), rollouts.mask)
        means, peaks = drift(logp, rollouts)
        decisions = rollouts.mask.sum()
        for name, values in extra.items():
            means[name] = (_on(rollouts.mask, values.detach().to(logp.dtype).expand_as(logp)).sum(), decisions)
        return Total(total.sum, total.weight, means, peaks)

    return loss


def of_drawn(loss: Loss) -> Loss:
    """The loss of the rows that were drawn, where a batch has demonstrations as well."""
    return _of(loss, demonstrated=False)


def of_demonstrated(loss: Loss) -> Loss:
    """The loss of a batch's demonstrations; its weight is 0, so that no step is made, where there are none."""
    return _of(loss, demonstrated=True)


def _of(loss: Loss, demonstrated: bool) -> Loss:
    def some(policy: Policy, rollouts: Rollouts) -> Total:
        rows = rollouts.of(demonstrated)
        if not len(rows):  # one row that decides nothing: every process makes as many passes as the others
            rows = replace(rollouts[:1], mask=torch.zeros_like(rollouts.mask[:1]))
        return loss(policy, rows)

    return some


def _with_extra(result: Tensor | tuple[Tensor, dict[str, Tensor]]) -> tuple[Tensor, dict[str, Tensor]]:
    return result if isinstance(result, tuple) else (result, {})


@torch.no_grad()
def drift(logp: Float[Tensor, "N D"], rollouts: Rollouts) -> tuple[dict[str, tuple[Tensor, Tensor]], dict[str, Tensor]]:
    """How far the policy is from the one that sampled: means and peaks to log."""
    log_ratio = torch.where(rollouts.mask, logp.detach() - rollouts.logp_old, 0.0)
    ratio, decisions = log_ratio.exp(), rollouts.mask.sum()
    means = {
        "ratio/mean": (_on(rollouts.mask, ratio).sum(), decisions),
        "drift": ((ratio - 1 - log_ratio).sum(), decisions),
    }
    return means, {"ratio/first": (ratio - 1).abs().amax()}
