"""A policy seen one decision at a time, as learning from a buffer sees it: what it proposes in a state. No rollouts.

Every policy acts; most also propose several decisions, which is all that a search by value needs. Only of some can a
method ask what a critic's gradient or an integral over decisions takes: draws with a density and a gradient.

Actions are in units of their space: a Box is [-1, 1] in every dimension, a Discrete space its integers. A decision is
a chunk of h of them. B states, n proposals, O and A numbers of an observation and of an action.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor


class Candidates(NamedTuple):
    """Decisions proposed in each of B states, and how they stand for all that could be decided there.

        mean of f under the policy = Σ_n exp(log_weight) f(action)
        ∫ f over all decisions     = Σ_n exp(log_weight - log_prob) f(action)

    n draws have log_weight = -log n, and the sums are estimates; where the decisions can be listed, log_weight =
    log_prob, and they are exact. Differentiable in the policy's parameters: draws through `action`, a list through
    `log_prob` and `log_weight`.
    """

    action: Num[Tensor, "B n h A"]
    log_prob: Float[Tensor, "B n"]
    log_weight: Float[Tensor, "B n"]

    @property
    def log_volume(self) -> Float[Tensor, "B n"]:
        """How much of the space of decisions each stands for, as a logarithm."""
        return self.log_weight - self.log_prob


@runtime_checkable
class Acting(Protocol):
    """The policy acts state by state, from noise that it is given; if it cannot, use a method that samples rollouts."""

    @property
    def chunk(self) -> int:
        """Actions in one decision."""
        ...

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D *E"]:
        """What `act` needs for these decisions of rows with these keys."""
        ...

    def act(self, observation: Float[Tensor, "N O"], noise: Float[Tensor, "N *E"]) -> Num[Tensor, "N h A"]:
        """One decision in each state."""
        ...


@runtime_checkable
class Believing(Acting, Protocol):
    """The policy acts on a belief that it keeps of what it has seen; if it keeps none, give it a model (repo, dreamer).

    `act` is then given the belief in the place of the observation. A belief is a row of M numbers.
    """

    def blank(self, rows: int) -> Float[Tensor, "N M"]:
        """The belief before anything was seen or done."""
        ...

    def believe(self, belief: Float[Tensor, "N M"], observation: Float[Tensor, "N O"]) -> Float[Tensor, "N M"]:
        """After what is seen now."""
        ...

    def did(self, belief: Float[Tensor, "N M"], action: Num[Tensor, "N h A"]) -> Float[Tensor, "N M"]:
        """After this decision, in units of its space, and before what comes of it is seen."""
        ...


@runtime_checkable
class Proposing(Acting, Protocol):
    """The policy proposes several decisions in a state; if it cannot, use a method that imitates the data alone."""

    def propose(self, observation: Float[Tensor, "B O"], n: int, generator: torch.Generator) -> Num[Tensor, "B n h A"]:
        """n draws in each state, or every decision there is."""
        ...


@runtime_checkable
class Reparameterised(Acting, Protocol):
    """The policy has proposals with densities and a gradient; if not, use a method that searches (pa_rl), or iql."""

    def candidates(self, observation: Float[Tensor, "B O"], n: int, generator: torch.Generator) -> Candidates:
        """n draws in each state, or every decision there is, and how they stand for all."""
        ...


@runtime_checkable
class Imitating(Acting, Protocol):
    """The policy can be shown what to do in a state; if it cannot, use a method that follows a critic's gradient."""

    def imitation(
        self, observation: Float[Tensor, "B O"], action: Num[Tensor, "B h A"], generator: torch.Generator
    ) -> Float[Tensor, "B h"]:
        """The family's own supervised loss of each action of the chunk."""
        ...


@runtime_checkable
class Central(Acting, Protocol):
    """The policy has an action without noise that is continuous; if it has none, use a method that draws (sac, iql)."""

    def centre(self, observation: Float[Tensor, "B O"]) -> Float[Tensor, "B h A"]:
        """The decision without noise."""
        ...
