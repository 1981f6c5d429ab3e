"""Actions sought by their value: proposed, ranked by critics, improved by the critics' gradient. Learns nothing.

`ActionSearch` is the search, for the losses of a method; `Searching` a policy that acts by it, in worlds and deployed.

E members, B states, n proposals in each, of which m are kept; decisions are chunks of h actions of A numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from rlft.noise import forked
from rlft.offpolicy.critics import Critics
from rlft.offpolicy.values import Aggregate, mean
from rlft.types import UserError
from rlft.types.acting import Acting


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
        """The decisions found in each state among the policy's proposals and around them."""
        with torch.no_grad():
            action = policy.propose(observation, self.n, generator)
        return self.among(critics, observation, action, generator, data)

    def among(
        self,
        critics: Critics,
        observation: Float[Tensor, "B O"],
        action: Num[Tensor, "B n h A"],
        generator: torch.Generator,
        data: Num[Tensor, "B h A"] | None = None,
    ) -> Found:
        """The decisions found among these and around them; `data` takes the place of the worst that is kept."""
        with torch.no_grad():
            q = self.judge(critics.of(observation, action), generator)
            q, order = q.topk(min(self.keep, q.shape[1]), dim=1)
            action = action.gather(1, order[..., None, None].expand(-1, -1, *action.shape[2:]))
            if data is not None:
                action = torch.cat([action[:, :-1], data[:, None].to(action)], dim=1)
                q = self.judge(critics.of(observation, action), generator)
        found = Found(action, q)
        if not (self.steps and action.is_floating_point()):
            return found
        for _ in range(self.steps):
            q, slope = self._slope(critics, observation, action, generator)
            found = _better(found, action, q)
            action = (action + self.rate * slope).clamp(-1, 1)
        with torch.no_grad():
            return _better(found, action, self.judge(critics.of(observation, action), generator))

    def _slope(
        self, critics: Critics, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Values, and how they change with the actions."""
        with torch.enable_grad():
            here = action.detach().requires_grad_()
            q = self.judge(critics.of(observation, here), generator)
            (slope,) = torch.autograd.grad(q.sum(), here)
        return q.detach(), slope


@dataclass(frozen=True)
class Searching:
    """A policy's decisions after a search: it acts as the best of what is found, and any policy that acts can.

    Each of the n proposals has noise of its own, which belongs to the row. Learns nothing; as its policy and critics
    learn, it changes. A judge that draws members draws the same ones at every decision.
    """

    policy: Acting
    critics: Critics
    search: ActionSearch

    @property
    def chunk(self) -> int:
        """Actions in one decision."""
        return self.policy.chunk

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D n *E"]:
        """The noise of the proposals of these decisions of rows with these keys."""
        each = self.policy.noise(forked(keys, self.search.n).flatten(), decisions)
        return each.unflatten(0, (len(keys), self.search.n)).transpose(1, 2)

    def act(self, observation: Float[Tensor, "N O"], noise: Float[Tensor, "N n *E"]) -> Num[Tensor, "N h A"]:
        """The best found in each state, without gradient."""
        with torch.no_grad():
            states = observation.repeat_interleave(self.search.n, dim=0)
            action = self.policy.act(states, noise.flatten(0, 1)).unflatten(0, (len(observation), self.search.n))
        generator = torch.Generator().manual_seed(0)
        return self.search.among(self.critics, observation, action, generator).best()


def _better(found: Found, action: Num[Tensor, "B m h A"], q: Float[Tensor, "B m"]) -> Found:
    """Of each particle, the better of what was found and of where it is now."""
    higher = q > found.q
    return Found(torch.where(higher[..., None, None], action, found.action), torch.where(higher, q, found.q))


def _picked(action: Num[Tensor, "B m h A"], which: Tensor) -> Num[Tensor, "B h A"]:
    return action[torch.arange(len(action), device=action.device), which]
