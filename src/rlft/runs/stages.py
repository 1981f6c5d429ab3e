"""What a run of several stages is made of: learning, writing data, merging. Values; `runs.staged` carries them out.

    Learned       a method on a task for some steps: SFT and RL are two methods
    Regenerated   the policy writes its own demonstrations: it answers each problem several times, the right are kept
    Merged        the weighted average of the weights that stages ended with

A stage begins with the weights that its parent ended with, an earlier stage or `base`. A stage that wrote data ends
with the weights it began with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rlft.errors import unknown
from rlft.runs import sources
from rlft.runs.log import finite, named
from rlft.types import Method, Problem, Reward, StoredTask, Task, UserError

BASE = "base"
Source = Task | str
"""A task, or the name of an earlier stage that wrote one."""


@dataclass(frozen=True)
class Learned:
    """`steps` steps of a method, as a Trainer of these numbers does them, with an optimiser of its own.

    name     of the stage
    parent   whose weights it begins with; a KL is measured to these
    method   SFT (`methods.sft`) or any that learns from whole rollouts
    task     what it learns from
    reward   what it is paid by; SFT needs none
    numbers  further arguments of the Trainer: prompts, group, lr, rows …
    """

    name: str
    parent: str
    method: Method
    task: Source
    reward: Reward | None = None
    steps: int = 100
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parents(self) -> Sequence[str]:
        """Whose weights it needs."""
        return (self.parent,)


@dataclass(frozen=True)
class Regenerated:
    """Rows of the policy's own as demonstrations: `samples` answers to each problem, of which the right are kept.

    Of a problem's equal answers one is kept. No weight is changed.

    name      of the stage, and of the task it writes
    parent    whose weights answer
    task      what is asked; its problems come in the order of a run, once
    reward    what is right is paid at least `right`
    samples   answers to each problem
    problems  how many are asked; None is all
    prompts   how many at a time, which is a step
    most      answers kept of one problem at most, the first; None is all
    keep      `(problem, output) -> bool`, what else is asked of a right one
    """

    name: str
    parent: str
    task: Source
    reward: Reward
    samples: int = 8
    problems: int | None = None
    prompts: int = 16
    right: float = 1.0
    most: int | None = None
    keep: Callable[[Problem, Any], bool] = lambda problem, output: True

    @property
    def parents(self) -> Sequence[str]:
        """Whose weights it needs."""
        return (self.parent,)

    @property
    def asked(self) -> int:
        """How many problems are asked in all."""
        size = None if isinstance(self.task, str) else self.task.size
        count = self.problems if size is None else min(size, self.problems or size)
        if not count:
            raise UserError(f"stage {self.name!r}: say how many problems are to be asked, the task has no end it knows")
        return count

    @property
    def steps(self) -> int:
        """How many batches of problems that is."""
        return -(-self.asked // self.prompts)


@dataclass(frozen=True)
class Merged:
    """The average of the weights that stages ended with; it takes one step, which updates nothing.

    weight of the result = sum_s shares[s] weight_s / sum_s shares[s]

    name    of the stage
    shares  stages, or `base`, and how much each counts
    """

    name: str
    shares: Mapping[str, float]
    steps = 1

    @property
    def parents(self) -> Sequence[str]:
        """Whose weights it needs."""
        return tuple(self.shares)


Stage = Learned | Regenerated | Merged


@dataclass(frozen=True)
class Written:
    """The task of what a stage has kept: problems of its source by their index, with one answer each to imitate."""

    name: str
    source: Task
    rows: Sequence[Sequence[Any]]

    @property
    def split(self) -> str:
        """That of its source."""
        return self.source.split

    @property
    def size(self) -> int:
        """How many answers there are."""
        return len(self.rows)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        place, told = self.rows[index]
        return replace(self.source.at(place), index=index, task=self.name, demonstration=told)


def check(stages: Sequence[Stage]) -> None:
    """`UserError` for stages that cannot be run in this order: names, parents, tasks, numbers."""
    if not stages:
        raise UserError("a run of stages needs one at least")
    before, wrote = [BASE], []
    for stage in stages:
        told = f"stage {stage.name!r}"
        if not stage.name.replace("-", "").replace("_", "").isalnum():
            raise UserError(f"{told}: a name is made of letters, digits, - and _, as it names a folder")
        if stage.name in before:
            raise UserError(f"{told}: there is one of this name already; the base is called {BASE!r}")
        for parent in stage.parents:
            if parent not in before:
                raise UserError(
                    f"{told} begins with the weights of an earlier stage: {unknown('parent', parent, before)}"
                )
        if isinstance(stage, Merged):
            if not stage.shares or min(stage.shares.values()) < 0 or not sum(stage.shares.values()) > 0:
                raise UserError(f"{told}: shares must not be negative, and some above 0; got {dict(stage.shares)}")
        elif isinstance(stage.task, str) and stage.task not in wrote:
            raise UserError(
                f"{told} learns from what an earlier stage wrote: {unknown('stage', stage.task, wrote or ['none'])}"
            )
        if isinstance(stage, Regenerated):
            wrote.append(stage.name)
            for name in ("samples", "prompts"):
                if getattr(stage, name) < 1:
                    raise UserError(f"{told}: {name} must be at least 1; got {getattr(stage, name)}")
        if stage.steps < 1:
            raise UserError(f"{told}: steps must be at least 1; got {stage.steps}")
        before.append(stage.name)


def described(stage: Stage) -> str:
    """A stage in words that are equal for equal ones, also in another process: what a run goes on with only if it is
    the same. Of a task its name and size, and where its rows are stored all of them."""
    told = {"kind": type(stage).__name__, **vars(stage)}
    if not isinstance(stage, Merged) and not isinstance(stage.task, str):
        told["task"] = [stage.task.name, stage.task.split, stage.task.size]
        told["rows"] = sources.rows(stage.task) if isinstance(stage.task, StoredTask) else None
    if isinstance(stage, Learned):
        told["method"] = {"name": stage.method.name, **stage.method.settings}
    return json.dumps(finite(told), default=named, sort_keys=True)
