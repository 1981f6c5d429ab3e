"""The nouns of the library: problems, rollouts, policies, methods. Nothing here computes anything.

The legend of letters, used in every signature:

    P   problems: prompts, start states or classes to condition on
    G   group: rollouts drawn for one problem
    N   rows, N = P·G, group-major: row p·G + g is the g-th rollout of problem p
    D   decisions of the policy in one row: tokens, denoising steps, environment steps, action chunks
    T K tokens, denoising steps; only inside a policy

A policy makes decisions and can say how likely each one was. Whatever the model is, its decisions are the columns
of `[N, D]` tensors, and nothing outside `policies/` learns which kind they are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.errors import UserError
from rlft.rollouts import COLUMNS, Message, Problem, Rollouts, Text, Transcript

__all__ = [
    "COLUMNS",
    "Collect",
    "Credit",
    "Exchanging",
    "HasReference",
    "HasValue",
    "Loss",
    "Message",
    "Method",
    "Packing",
    "Parts",
    "Policy",
    "Problem",
    "Resumable",
    "Reward",
    "Rollouts",
    "Runtime",
    "Sampler",
    "Savable",
    "Showable",
    "Source",
    "Stateful",
    "Task",
    "Teachable",
    "Text",
    "Total",
    "Transcript",
    "Update",
    "UserError",
    "actor_parameters",
    "critic_parameters",
    "published",
]


class Total(NamedTuple):
    """A loss before division: a sum, the weight it is to be shared over, and what to log (means, maxima).

    Only the optimiser step divides, after adding up micro-batches and processes, so neither changes the gradient.
    """

    sum: Tensor
    weight: Tensor
    means: Mapping[str, tuple[Tensor, Tensor]] = {}
    peaks: Mapping[str, Tensor] = {}


@runtime_checkable
class Sampler(Protocol):
    """Whatever draws rollouts."""

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` rollouts for each problem. A row's noise depends on the seed, its problem and its number in the
        group, never on its neighbours."""
        ...


@runtime_checkable
class Policy(Sampler, Protocol):
    """The policy can say how likely each of its decisions was; if it cannot, use a method of `rlft.offpolicy` (pa_rl).

    It is an `nn.Module` with two more methods.
    """

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The log-probability of each decision, differentiable; 0 without gradient off the mask."""
        ...

    def parameters(self, recurse: bool = True) -> Iterator[torch.nn.Parameter]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


@runtime_checkable
class HasValue(Protocol):
    """The policy has a critic: build it with one (`critic=True`), or use a method with group baselines (rloo, grpo)."""

    def value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The expected reward from each decision on, seen before that decision; differentiable."""
        ...

    def value_parameters(self) -> Iterable[torch.nn.Parameter]:
        """The critic's own parameters; none, if the policy was built without one."""
        ...


@runtime_checkable
class Teachable(Protocol):
    """The policy learns from demonstrations; if it cannot, use a method that learns from rewards alone."""

    def demonstrate(self, problems: Sequence[Problem], seed: int) -> Rollouts:
        """Rows whose decisions are those of the problems' answers."""
        ...

    def loss_on(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The family's own supervised loss of each decision: negative log-likelihood, denoising error."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """The policy can go on from the middle of a row; if it cannot, use a method that starts rows at their problem."""

    def resume(self, rollouts: Rollouts, at: Int[Tensor, "N"], group: int, seed: int) -> Rollouts:
        """`group` continuations of each row from its decision `at` on: N·group rows, group-major.

        What was decided before `at` is the row's own, copied, and not on the mask; `outputs` are whole. The noise of
        a continuation is that of `noise.branch_keys`. `at` lies between 0, a new row of the problem, and the row's
        number of decisions, where nothing is left to decide.
        """
        ...


@runtime_checkable
class Exchanging(Protocol):
    """The policy is a pair that can exchange roles: build `policies.pair.Pair`, or use ppo for a policy alone."""

    @property
    def members(self) -> Sequence[Policy]:
        """The two policies, each with weights of its own; always in this order, whoever acts first."""
        ...

    def own(self, member: int, rollouts: Rollouts) -> Rollouts:
        """The rows as this member decided them: its own trace, decisions and columns, for it to score."""
        ...

    def exchange(self) -> None:
        """Who acted first acts second from the next sample on. Rows that are drawn already keep their roles."""
        ...


@runtime_checkable
class Packing(Protocol):
    """The policy knows how long its rows are; if it does not, give `rows` to a forward pass, and no `budget`."""

    def packed(self, rollouts: Rollouts, budget: int, together: bool) -> list[list[int]]:
        """All rows, each once, in forward passes that read at most `budget` tokens, or one row that has more.

        With `together` no group is split, and a whole one may have more.
        """
        ...


@runtime_checkable
class HasReference(Protocol):
    """The policy can lend its own starting point, as an adapter's base can, so that no second copy is held."""

    def reference(self) -> Policy:
        """The policy as it was before training, without gradient."""
        ...


@runtime_checkable
class Showable(Protocol):
    """The policy can say how one of its outputs is to be drawn in a report."""

    def show(self, output: Any) -> dict[str, Any]:
        """Plain values with a `kind`: `text`, `conversation`, `image`, `points` …; see `rlft.report.files`."""
        ...


@runtime_checkable
class Savable(Protocol):
    """The policy can be saved as others load it (a Hugging Face folder, a file of weights)."""

    def save(self, folder: Path) -> None:
        """Write the trained model into a new folder."""
        ...


@runtime_checkable
class Task(Protocol):
    """A seeded source of problems. `size` is None for a generator without end."""

    @property
    def name(self) -> str: ...

    @property
    def split(self) -> str: ...

    @property
    def size(self) -> int | None: ...

    def at(self, index: int) -> Problem:
        """The problem with this index; the same index gives the same problem on every machine."""
        ...


class Parts(dict[str, Tensor]):
    """Named parts of a reward, which add up, and in `watch` numbers of each row that are recorded and do not."""

    def __init__(self, parts: Mapping[str, Tensor], watch: Mapping[str, Tensor]):
        super().__init__(parts)
        self.watch = dict(watch)


Reward = Callable[[Sequence[Problem], Any], Any]
"""`(problems, outputs) -> [N]` or `[N, D]`, over the whole batch, group-major; or a dict of named parts, which add."""

Measure = Callable[[Sequence[Problem], Any], Mapping[str, float]]
"""`(problems, outputs) -> {name: value}`: what a reward does not see, over the whole batch."""

Loss = Callable[[Any, Rollouts], Total]


@runtime_checkable
class Runtime(Protocol):
    """Where it runs. Three verbs; `runtime.local` is the specification and every other runtime gives its numbers.

    The rest is housekeeping for weights that are sharded over the processes; elsewhere it does nothing.
    """

    rank: int
    world: int
    lockstep: bool
    """Whether every process must run as many forward passes as the others, because the model is sharded."""

    def sample(self, policy: Sampler, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """This process's share of the rollouts, with the column `position`."""
        ...

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Add each tensor over the processes, in place."""
        ...

    def gather(self, column: Tensor) -> Tensor:
        """The column's rows of all processes, in the order of the processes."""
        ...

    def shard(self, blocks: Sequence[torch.nn.Module]) -> None:
        """Share the weights of these modules out over the processes, before an optimiser is made of them."""
        ...

    def norm(self, gradients: Sequence[Tensor]) -> float:
        """The norm of all gradients together."""
        ...

    def gathered(self) -> AbstractContextManager[None]:
        """Inside, every process holds the whole weights."""
        ...

    def whole(self, state: Any) -> Any:
        """A state whose sharded tensors have been put together."""
        ...

    def spread(self, state: Any, like: Any) -> Any:
        """A whole state, sharded as `like` is."""
        ...


Credit = Callable[[Rollouts, Runtime], Tensor | Mapping[str, Tensor]]
"""Advantages as [N] or [N, D], or a dict of columns with `advantages` among them. NaN marks rows to leave out."""


@runtime_checkable
class Source(Protocol):
    """What a `collect` draws from: a Trainer, which draws with `policy` for its step number `steps_done` + 1."""

    policy: Any
    prompts: int
    group: int
    seed: int
    steps_done: int
    runtime: Runtime

    notes: dict[str, float]

    def draw(self, count: int) -> Rollouts:
        """This process's share of rollouts for the task's next `count` problems, rewarded."""
        ...

    def demonstrate(self, count: int) -> Rollouts:
        """This process's share of demonstrations of the task's next `count` problems; their rewards are NaN."""
        ...

    def teach(self, indices: Sequence[int]) -> Rollouts:
        """This process's share of demonstrations of the task's problems with these indices; their rewards are NaN."""
        ...

    def resume(self, rollouts: Rollouts, at: Tensor, group: int) -> Rollouts:
        """`group` continuations of each of these rows from decision `at` [N] on, rewarded; see `Resumable`.

        They are placed behind one another as their parents are: a parent at place i has those from i·group on.
        """
        ...


Collect = Callable[[Source], Rollouts]


@runtime_checkable
class Stateful(Protocol):
    """A part with memory: a baseline with history, a curriculum, a replay buffer. Its state goes into checkpoints."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> Any: ...


def actor_parameters(policy: Policy) -> list[torch.nn.Parameter]:
    """All trainable parameters but the critic's own."""
    critic = {id(p) for p in policy.value_parameters()} if isinstance(policy, HasValue) else set()
    return [p for p in policy.parameters() if p.requires_grad and id(p) not in critic]


def critic_parameters(policy: HasValue) -> list[torch.nn.Parameter]:
    """The critic's own parameters."""
    return list(policy.value_parameters())


@dataclass(frozen=True)
class Update:
    """One optimiser and what it minimises: `loss` over `parameters(policy)`, at every `every`-th minibatch.

    `lr` is this optimiser's learning rate relative to the Trainer's.
    """

    loss: Loss
    parameters: Callable[[Any], list[torch.nn.Parameter]] = actor_parameters
    name: str = "policy"
    every: int = 1
    lr: float = 1.0


@dataclass(frozen=True)
class Method:
    """A published method as a value. Make one with a function of `methods/`, or your own, marked `@published`.

    advantage    credit: rewards to advantages
    updates      what is minimised; `loss=` of most methods is one Update over all parameters
    collect      where rollouts come from; None draws one batch
    reference    the loss or the advantage reads `logp_ref`
    critic       the advantage reads `values`
    epochs       passes over each batch
    minibatches  optimiser steps in one pass
    min_group    the least G with which the method makes sense
    whole_groups the loss compares rows of a group, so no batch may split one
    needs        capabilities of the policy, besides `sample` and `log_prob`
    name         the name of the function that made it, and `settings` its arguments; `published` fills them in
    """

    advantage: Credit
    updates: tuple[Update, ...]
    collect: Collect | None = None
    reference: bool = False
    critic: bool = False
    epochs: int = 1
    minibatches: int = 1
    min_group: int = 1
    whole_groups: bool = False
    needs: tuple[type, ...] = ()
    name: str = "a method of your own"
    settings: Mapping[str, Any] = field(default_factory=dict)


Make = TypeVar("Make", bound=Callable[..., Any])


def published(function: Make) -> Make:
    """Let the Method (or OffPolicy) that a function returns remember its name and the arguments it was made with."""

    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        return replace(function(*args, **kwargs), name=function.__name__, settings=dict(bound.arguments))

    return cast(Make, made)
