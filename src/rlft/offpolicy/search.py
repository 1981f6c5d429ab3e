"""Actions sought by their value: proposed, ranked by critics, improved by the critics' gradient. Learns nothing.

E members, B states, n proposals in each, of which m are kept; decisions are chunks of h actions of A numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Num
from torch import Tensor

from rlft.offpolicy.critics import Critics
from rlft.offpolicy.values import Aggregate, mean
from rlft.types import UserError


class Found(NamedTuple):
    """m decisions in each state, and what the critics think of them."""

    action: Num[Tensor, "B m h A"]
    q: Float[Tensor, "B m"]

    def best(self) -> Num[Tensor, "B h A"]:
        """The one of the highest value."""
        return _picked(self.action, self.q.argmax(dim=1))

    def drawn(self, temperature: float, generator: torch.Generator) -> Num[Tensor, "B h A"]:
        """One with probability softmax(Q / temperature)."""
        share = (self.q / temperature).softmax(dim=1).cpu()
        return _picked(self.action, torch.multinomial(share, 1, generator=generator)[:, 0].to(self.q.device))


@dataclass(frozen=True)
class ActionSearch:
    """PA-RL's improvement of a policy's actions (arXiv:2412.06685, Sec. 4): of any policy that proposes.

        1. n proposals; 2. the m best; 3. `steps` times a ← clip(a + rate ∂Q/∂a, ±1), of each the best on the way

    With steps=0 the best of what is found is argmax Q among the n proposals (best of n). Critics get no gradient.
    Discrete actions are ranked and not moved.

    judge   what the members' opinions amount to: their mean, as in the paper
    """

    n: int = 32
    keep: int = 10
    steps: int = 10
    rate: float = 3e-4
    judge: Aggregate = mean

    def __post_init__(self) -> None:
        if not 1 <= self.keep <= self.n or self.steps < 0:
            raise UserError(
                f"a search keeps between 1 and n proposals and takes no fewer than 0 steps, not {self!r:.99}"
            )

    def __call__(
        self,
        policy: Any,
        critics: Critics,
        observation: Float[Tensor, "B O"],
        generator: torch.Generator,
        data: Num[Tensor, "B h A"] | None = None,
    ) -> Found:
        """The decisions found in each state; `data` takes the place of the worst that is kept."""
        with torch.no_grad():
            action = policy.propose(observation, self.n, generator).action
            q = self.judge(critics.of(observation, action), generator)
            q, order = q.topk(min(self.keep, q.shape[1]), dim=1)
            action = action.gather(1, order[..., None, None].expand(-1, -1, *action.shape[2:]))
            if data is not None:
                action = torch.cat([action[:, :-1], data[:, None].to(action)], dim=1)
                q = self.judge(critics.of(observation, action), generator)
        found = Found(action, q)
        for _ in range(self.steps if action.is_floating_point() else 0):
            action, found = self._climbed(critics, observation, action, found, generator)
        return found

    def _climbed(
        self, critics: Critics, observation: Tensor, action: Tensor, found: Found, generator: torch.Generator
    ) -> tuple[Tensor, Found]:
        """Actions one step further, and the best of each particle so far."""
        with torch.enable_grad():
            here = action.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.judge(critics.of(observation, here), generator).sum(), here)
        with torch.no_grad():
            action = (action + self.rate * slope).clamp(-1, 1)
            q = self.judge(critics.of(observation, action), generator)
            better = q > found.q
            best = torch.where(better[..., None, None], action, found.action)
            return action, Found(best, torch.where(better, q, found.q))


def _picked(action: Num[Tensor, "B m h A"], which: Tensor) -> Num[Tensor, "B h A"]:
    return action[torch.arange(len(action), device=action.device), which]
