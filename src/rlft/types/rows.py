"""Problems and rollouts: the data that flows through a step. See `rlft.types` for the letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Problem:
    """What a policy is asked: a prompt, a class, a start state. Index, task, split and visit name its noise.

    `input` is what the policy conditions on (text, chat messages, a class number, a start-state seed), `answer` what
    the reward compares with, and `columns` whatever else the data had. `visit` counts the passes over the task, so
    that the second time round a problem meets other noise. `demonstration` is what a policy imitates, a worked
    solution for instance, where that is not the answer itself.
    """

    index: int
    input: Any
    answer: Any = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    task: str = "task"
    split: str = "train"
    visit: int = 0
    demonstration: Any = None

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells a problem apart from all others, and from itself at another visit."""
        return self.task, self.split, self.index, self.visit

    @property
    def lesson(self) -> Any:
        """What there is to imitate: the demonstration, else the answer; None where there is neither."""
        return self.answer if self.demonstration is None else self.demonstration


def field_of(columns: Mapping[str, Any], name: str) -> Any:
    """A column by its name, or by a dotted one a field inside it, `reward_model.ground_truth`; None where it is not."""
    if name in columns:
        return columns[name]
    outer, dot, inner = name.partition(".")
    held = columns.get(outer)
    return field_of(held, inner) if dot and isinstance(held, Mapping) else None


# Which stage fills an optional column; a column read too early says so.
COLUMNS = {
    "position": "the Trainer, when it draws rollouts",
    "rewards": "the Trainer's reward stage",
    "reward_at": "a reward that returns [N, D]",
    "blame": "a reward that says which passages are wrong, such as rewards.critique",
    "logp_drawn": "a policy whose rows another engine drew, or the Trainer for those of older weights",
    "logp_ref": "the Trainer, for a method with reference=True or a run that watches the KL",
    "values": "the Trainer, for a method with critic=True",
    "beyond": "a policy with a critic whose rows may be cut off, as a world's episodes are",
    "returns": "an advantage that also fits a critic, such as advantages.gae",
    "advantages": "the Trainer's credit stage",
    "emphasis": "an advantage that singles decisions out, such as advantages.covariance",
    "turn": "a policy with several turns",
    "summary": "a policy that may sum up what it was told",
    "unfinished": "a policy with several turns",
    "parent": "a collect that branches",
    "demonstrated": "a collect that mixes demonstrations with what was drawn",
    "pools": "a collect that compares chains with annotated ones",
    "toward": "a collect that compares chains with annotated ones",
    "version": "a Trainer that draws ahead",
    "hardness": "a collect that compares rows with demonstrations",
    "gap": "a collect that compares rows with demonstrations",
    "weight": "an advantage that weighs rows by who drew them, such as advantages.correction",
}


@dataclass(frozen=True)
class Rollouts:
    """One batch of rollouts as columns. A stage returns a copy with one more column; none is ever rewritten.

    problems   N, group-major (each problem stands G times in a row)
    group      G
    outputs    what the reward sees, one per row: texts, images, episodes; anything that `[i]` indexes by row
    trace      what `log_prob` needs to score the rows again; every tensor has N rows first, and padding its other
               axes at the end with zeros changes nothing
    mask       [N D] the decisions that are the policy's own: no padding, no prompt, no tool, no ODE step
    logp_old   [N D] log-probability of each decision under the distribution it was drawn from, 0 off the mask
    filled     the optional columns of `COLUMNS`; read them as attributes
    """

    problems: tuple[Problem, ...]
    group: int
    outputs: Any
    trace: Mapping[str, Tensor]
    mask: Bool[Tensor, "N D"]
    logp_old: Float[Tensor, "N D"]
    filled: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.problems)

    def has(self, column: str) -> bool:
        """Whether an optional column has been filled."""
        return column in self.filled

    def column(self, name: str) -> Tensor:
        """An optional column by name; a missing one raises and says what would have filled it."""
        if name not in self.filled:
            raise LookupError(f"rollouts have no column {name!r} yet: it is filled by {COLUMNS[name]}")
        return self.filled[name]

    def fill(self, **columns: Tensor) -> Rollouts:
        """A copy with more columns. Each must be known, have N rows, and not be there already."""
        for name, values in columns.items():
            if name not in COLUMNS:
                raise LookupError(f"unknown column {name!r}; the columns are {', '.join(COLUMNS)}")
            if name in self.filled:
                raise LookupError(f"column {name!r} is filled already, and no column is rewritten")
            if values.shape[0] != len(self):
                raise ValueError(f"column {name!r} has {values.shape[0]} rows, the rollouts {len(self)}")
        return replace(self, filled={**self.filled, **columns})

    @property
    def position(self) -> Tensor:
        """[N] int64, the row's place in the whole step's batch, over all processes."""
        return self.column("position")

    @property
    def rewards(self) -> Tensor:
        """[N] the total reward of each row; NaN where the reward could not score it."""
        return self.column("rewards")

    @property
    def reward_at(self) -> Tensor:
        """[N D] the reward of each decision."""
        return self.column("reward_at")

    @property
    def logp_ref(self) -> Tensor:
        """[N D] log-probability of each decision under the reference policy."""
        return self.column("logp_ref")

    @property
    def values(self) -> Tensor:
        """[N D] the critic's value before each decision."""
        return self.column("values")

    @property
    def beyond(self) -> Tensor:
        """[N D] what the critic expects after a decision at which the row was cut off, NaN elsewhere."""
        return self.column("beyond")

    @property
    def returns(self) -> Tensor:
        """[N D] what the critic is fitted to."""
        return self.column("returns")

    @property
    def advantages(self) -> Tensor:
        """[N D] credit of each decision."""
        return self.column("advantages")

    @property
    def emphasis(self) -> Tensor:
        """[N D] how much a term of the loss weighs at each decision, 0 where it has no say."""
        return self.column("emphasis")

    def wide(self, columns: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a credit returns, by name and [N D]: a number of a row stands at each of its decisions."""
        named = {"advantages": columns} if isinstance(columns, Tensor) else columns
        return {n: c if c.ndim == 2 else c[:, None].expand_as(self.mask) for n, c in named.items()}

    def of(self, demonstrated: bool) -> Rollouts:
        """The rows that were demonstrated, or those that were not; all are drawn where no column says otherwise."""
        if not self.has("demonstrated"):
            return self[:0] if demonstrated else self
        return self[(self.column("demonstrated") == demonstrated).nonzero()[:, 0].cpu()]

    def place(self, position: Tensor) -> Rollouts:
        """The same rows at other places of the batch: for a `collect` that puts one together."""
        return replace(self, filled={**self.filled, "position": position})

    def __getitem__(self, rows: Tensor | Sequence[int] | slice) -> Rollouts:
        """These rows, as rollouts; groups are the caller's business."""
        index = torch.arange(len(self))[rows] if isinstance(rows, slice) else torch.as_tensor(rows, dtype=torch.long)
        picked, on = index.tolist(), index.to(self.mask.device)
        outputs = self.outputs[on] if isinstance(self.outputs, Tensor) else [self.outputs[i] for i in picked]
        return Rollouts(
            problems=tuple(self.problems[i] for i in picked),
            group=self.group,
            outputs=outputs,
            trace={name: values[on] for name, values in self.trace.items()},
            mask=self.mask[on],
            logp_old=self.logp_old[on],
            filled={name: values[on] for name, values in self.filled.items()},
        )

    @staticmethod
    def concat(parts: Sequence[Rollouts]) -> Rollouts:
        """The rows of several rollouts, one after the other; shorter ones are padded with masked decisions."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        if len({part.group for part in parts}) > 1:
            raise ValueError(f"cannot join groups of different sizes: {[part.group for part in parts]}")
        outputs = [part.outputs for part in parts]
        return Rollouts(
            problems=tuple(problem for part in parts for problem in part.problems),
            group=first.group,
            outputs=_stack(outputs) if isinstance(outputs[0], Tensor) else [o for rows in outputs for o in rows],
            trace={name: _stack([part.trace[name] for part in parts]) for name in first.trace},
            mask=_stack([part.mask for part in parts]),
            logp_old=_stack([part.logp_old for part in parts]),
            filled={name: _stack([part.filled[name] for part in parts]) for name in first.filled},
        )


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate along the rows, padding the other axes at the end with zeros."""
    shape = [max(sizes) for sizes in zip(*(t.shape[1:] for t in tensors), strict=True)]
    padded = []
    for t in tensors:
        room = t.new_zeros((t.shape[0], *shape))
        room[tuple(slice(size) for size in t.shape)] = t
        padded.append(room)
    return torch.cat(padded)
