"""Batches that are drawn with a slow average of the weights, while others learn. Knows no method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rlft.types import Collect, Rollouts, Source, UserError, actor_parameters


class Slowly:
    """A `collect` during which the policy has averaged weights; then it has its own again, to the last bit.

        old <- eta old + (1 - eta) theta,    eta = clip(rate (n - first), 0, most)

    before step n + 1, n the steps done; at the first step old is theta. So it is DiffusionNFT's delayed decay
    (arXiv:2509.16117): theta itself while eta is 0, slower and slower, at most `most`. With rate 0 it is `collect`.

    It averages what is trained, of adapters the adapters alone, and its state is as large. Notes `slow/decay`, and
    `slow/apart`, the distance of old and theta over the norm of theta. `UserError` for weights that are sharded.
    """

    def __init__(self, collect: Collect, rate: float, most: float, first: int = 0):
        if not rate >= 0 or not 0 <= most < 1 or first < 0:
            raise UserError(f"a decay has {rate=} and {first=} of at least 0, and {most=} from 0 to below 1")
        self.collect, self.rate, self.most, self.first = collect, rate, most, first
        self.old: list[Tensor] = []
        self.steps = 0

    def __call__(self, source: Source) -> Rollouts:
        if source.runtime.lockstep:
            raise UserError("weights that are sharded have no average of their own: leave out --shard, or set rate 0")
        own = actor_parameters(source.policy)
        self._follow(own, source)
        with torch.no_grad():
            kept = [weight.clone() for weight in own]
            try:
                _set(own, self.old)
                return self.collect(source)
            finally:
                _set(own, kept)

    def state_dict(self) -> dict[str, Any]:
        """The average, and of which step it is."""
        return {"old": list(self.old), "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.old, self.steps = [weight.clone() for weight in state["old"]], state["steps"]

    @torch.no_grad()
    def _follow(self, own: list[torch.nn.Parameter], source: Source) -> None:
        decay = min(max(self.rate * (source.steps_done - self.first), 0.0), self.most)
        if not self.old:
            self.old = [weight.detach().clone() for weight in own]
        elif source.steps_done > self.steps:  # once a step, however often it draws
            self.old = [torch.lerp(weight, old.to(weight), decay) for weight, old in zip(own, self.old, strict=True)]
        self.steps = source.steps_done
        less = [weight - old.to(weight) for weight, old in zip(own, self.old, strict=True)]
        apart, whole = map(source.runtime.norm, (less, own))
        source.notes.update({"slow/decay": decay, "slow/apart": apart / whole if whole else 0.0})


def _set(own: list[torch.nn.Parameter], values: list[Tensor]) -> None:
    for weight, value in zip(own, values, strict=True):
        weight.copy_(value)
