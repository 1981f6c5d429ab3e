"""What a method of learning from a buffer is: what it minimises, over which weights, with which targets. No loop.

An `OffPolicy` is to `learner.Learner` what `types.Method` is to the Trainer: a value, made by a function of `methods/`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from rlft.environments.protocol import Environment, Space
from rlft.offpolicy.buffer import Batch, Mixed
from rlft.offpolicy.critics import Critics, Ensemble, Norm, plain
from rlft.offpolicy.dual import Dual
from rlft.types.acting import Acting


class Fit(NamedTuple):
    """A loss, averaged over its batch; what to log; and what was measured for the duals of these names."""

    loss: Tensor
    notes: Mapping[str, Tensor] = {}
    measured: Mapping[str, Tensor] = {}


class Agent(nn.Module):
    """A policy and what it learns by.

    policy, space   the only part that acts, and in which actions
    q, q_target     critics, and their slow copy
    v               one network, state -> value, where the method has one
    policy_target   the policy's slow copy, where the method has one
    duals           weights that adjust themselves, by name
    """

    def __init__(self, policy: Any, environment: Environment, method: OffPolicy, *, hidden: list[int], seed: int):
        super().__init__()
        size, space = environment.observation_size, environment.action
        shape: dict[str, Any] = {"members": method.critics, "hidden": hidden, "norm": method.norm}
        self.policy, self.space = policy, space
        self.q = Critics(size, space, chunk=policy.chunk, seed=seed + 1000, **shape)
        self.q_target = copy.deepcopy(self.q)
        self.v = Ensemble([size, *hidden, 1], 1, seed + 2000, method.norm) if method.state_value else None
        self.policy_target = copy.deepcopy(policy) if method.slow_policy else None
        self.duals = nn.ModuleDict({name: make(space, policy.chunk) for name, make in method.duals.items()})

    def dual(self, name: str) -> Dual:
        """The weight that adjusts itself, by its name."""
        dual = self.duals[name]
        assert isinstance(dual, Dual)
        return dual

    def weight(self, name: str) -> Tensor:
        """The present weight of a constraint."""
        return self.dual(name).value

    def value(self, observation: Tensor) -> Tensor:
        """V(s), [B]."""
        assert self.v is not None
        return self.v(observation)[0, :, 0]

    @torch.no_grad()
    def follow(self, tau: float) -> None:
        """Move the slow copies: target ← (1 - tau) target + tau weights (Polyak)."""
        for fast, slow in ((self.q, self.q_target), (self.policy, self.policy_target)):
            if slow is not None:
                for weight, target in zip(fast.parameters(), slow.parameters(), strict=True):
                    target.lerp_(weight, tau)


class Inside(Protocol):
    """A world model that is fitted to the real steps on the way, and in which the policy takes steps of its own."""

    def windows(
        self, agent: Agent, held: Mixed, count: int, generator: torch.Generator, steps: int
    ) -> tuple[Batch, Mapping[str, Tensor | float]]:
        """The batch of an update, after `steps` real steps of the phase; and what to log."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any], agent: Agent, held: Mixed) -> None: ...


def policy_parameters(agent: Agent) -> list[nn.Parameter]:
    """All trainable weights of the policy."""
    return [p for p in agent.policy.parameters() if p.requires_grad]


def critic_parameters(agent: Agent) -> list[nn.Parameter]:
    """The critics' weights."""
    return list(agent.q.parameters())


def value_parameters(agent: Agent) -> list[nn.Parameter]:
    """The weights of V."""
    assert agent.v is not None
    return list(agent.v.parameters())


@dataclass(frozen=True)
class Descent:
    """One optimiser and what it minimises, at every `every`-th update; `lr` is relative to the Learner's.

    Gradients are taken with respect to `parameters(agent)` alone, so a policy that learns through a critic costs no
    gradient of the critic's weights.
    """

    loss: Callable[[Agent, Batch, torch.Generator], Fit]
    parameters: Callable[[Agent], list[nn.Parameter]] = policy_parameters
    name: str = "policy"
    every: int = 1
    lr: float = 1.0


def itself(agent: Agent) -> Acting:
    """The policy as it is."""
    return agent.policy


@dataclass(frozen=True)
class OffPolicy:
    """A published method of learning from transitions, as a value.

    descents      what one update minimises, in this order
    critics       members of the ensemble; 0 for a method whose policy has its own
    state_value   the method also has V(s)
    slow_policy   the policy too has a slow copy
    norm          of the critics' hidden layers
    steps         of a window: 1 is one-step temporal difference. A policy with chunks of h has windows of at least h
    whole         windows have all that was seen and done in them, for models of sequences
    tau, every    how far the slow copies move at every `every`-th update
    gamma         discount of the Monte-Carlo returns in the buffer, for methods that read them
    duals         weights that adjust themselves: `(space, chunk) -> Dual`
    acting        what acts in worlds: the policy itself, or something made of it and the critics
    inside        `(agent, environment, hidden layers, seed)` -> a world model that batches come from; None has none
    needs         capabilities of the policy, of `rlft.types.acting`
    """

    descents: tuple[Descent, ...]
    critics: int = 2
    state_value: bool = False
    slow_policy: bool = False
    norm: Norm = plain
    steps: int = 1
    whole: bool = False
    tau: float = 0.005
    every: int = 1
    gamma: float | None = None
    duals: Mapping[str, Callable[[Space, int], Dual]] = field(default_factory=dict)
    acting: Callable[[Agent], Acting] = itself
    inside: Callable[[Agent, Environment, list[int], int], Inside] | None = None
    needs: tuple[type, ...] = ()
    name: str = "a method of your own"
    settings: Mapping[str, Any] = field(default_factory=dict)
