"""Where it runs and what it draws from: runtimes, tasks, sources, and parts with a memory. Implements none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from rlft.types.capabilities import Sampler
from rlft.types.rows import Problem, Rollouts


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


@runtime_checkable
class Revisited(Task, Protocol):
    """A task whose problems are asked otherwise the next time round: its candidates in another order, say."""

    def visited(self, index: int, visit: int) -> Problem:
        """The problem with this index as it is asked in this pass; `at` is that of pass 0."""
        ...


def visited(task: Task, index: int, visit: int) -> Problem:
    """The problem with this index at this visit, which it knows; the same arguments give the same problem."""
    problem = task.visited(index, visit) if isinstance(task, Revisited) else task.at(index)
    return replace(problem, visit=visit)


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


@runtime_checkable
class Remote(Runtime, Protocol):
    """Rows are drawn and rewards given elsewhere, while this process goes on to learn."""

    def begun(self, policy: Sampler, problems: Sequence[Problem], group: int, seed: int) -> Callable[[], Rollouts]:
        """What draws the rollouts with the weights as they are now, called later, in any thread."""
        ...

    def rewarded(self, reward: Callable[..., Any]) -> Callable[..., Any]:
        """The reward, given elsewhere; one with a memory is itself."""
        ...

    def close(self) -> None:
        """End what was started elsewhere."""
        ...


class Judged(Protocol):
    """What a reward said of N outputs: `total` [N], NaN of one that it could not score."""

    @property
    def total(self) -> Tensor: ...


@runtime_checkable
class Source(Protocol):
    """What a `collect` draws from: a Trainer, which draws with `policy` for its step number `steps_done` + 1."""

    policy: Any
    task: Task
    prompts: int
    group: int
    seed: int
    steps_done: int
    runtime: Runtime

    notes: dict[str, float]

    def draw(self, count: int) -> Rollouts:
        """This process's share of rollouts for the task's next `count` problems, rewarded."""
        ...

    def ask(self, places: Sequence[tuple[int, int]]) -> Rollouts:
        """This process's share of rollouts for the task's problems with these indices, each at a visit, rewarded."""
        ...

    def take(self, count: int) -> list[Problem]:
        """The task's next `count` problems, on every process the same: for a `collect` that asks them otherwise."""
        ...

    def rows_of(self, problems: Sequence[Problem]) -> Rollouts:
        """This process's share of rollouts for these problems, which every process names, without rewards."""
        ...

    def rewarded(self, rollouts: Rollouts) -> Rollouts:
        """The rows with the run's rewards, measured and logged."""
        ...

    def judged(self, problems: Sequence[Problem], outputs: Any, decisions: int) -> Judged:
        """What the run's reward says of outputs, of at most so many decisions; nothing is measured or logged."""
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


@runtime_checkable
class StoredTask(Task, Protocol):
    """A task whose problems are rows that are stored, so that all of them can be read through."""

    @property
    def rows(self) -> Sequence[Any]: ...


@runtime_checkable
class Stateful(Protocol):
    """A part with memory: a baseline with history, a curriculum, a replay buffer. Its state goes into checkpoints."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> Any: ...
