"""Imitation: what small base models are made with before any reward is seen. Not a method of fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from rlft.cache import cached
from rlft.models.rates import rate_at
from rlft.policies.language.policy import Language
from rlft.products import usual
from rlft.types import Policy, Problem, Rollouts, Teachable


@runtime_checkable
class Imitator(Teachable, Policy, Protocol):
    """A policy that learns from demonstrations, however likely it finds them."""

    def lessons(self, problems: Sequence[Problem]) -> Rollouts:
        """`demonstrate`, but for `logp_old`."""
        ...


def imitate(
    policy: Imitator,
    problems_at: Callable[[int], Sequence[Problem]],
    steps: int,
    lr: float = 3e-3,
    warmup: int = 20,
    max_grad_norm: float = 1.0,
) -> list[float]:
    """Train on the answers of `problems_at(0) … problems_at(steps - 1)`; the loss of each step, in nats per token.

    AdamW without weight decay on the mean over tokens of `loss_on`; the rate rises linearly over `warmup` steps and
    falls to 0 as a half cosine. It draws no random number: the result depends on weights and problems alone, and
    products are torch's usual ones, as a base that has just begun to understand hangs on how sums are rounded.
    """
    parameters = [weight for weight in policy.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.95), weight_decay=0.0)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate_at(lr, step, steps, warmup)
        optimizer.zero_grad()
        with usual():
            rows = policy.lessons(problems_at(step))
            loss = policy.loss_on(rows).sum() / rows.mask.sum()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


def cached_language(
    name: str, build: Callable[[], Language], *, max_new_tokens: int, critic: bool = False, lora: int | None = None
) -> Language:
    """What `build` makes, kept under `name` as `rlft.cache.cached` does, and loaded from there with these settings."""

    def load(path: Path) -> Language:
        return Language.load(path, max_new_tokens=max_new_tokens, critic=critic, lora=lora)

    return cached(name, build, lambda policy, path: policy.save(path), load)
