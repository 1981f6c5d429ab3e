"""Rows drawn ahead of the step that learns from them, and rewarded meanwhile in the background. Corrects nothing.

    rows of step n + K  ~  the weights that step n began with

always, however long anything takes: so a run with K is as repeatable as one without, and the lag of a row, the steps
between its weights and those that learn from it, is min(n, K) and never more. Rows are drawn in this thread, where the
weights stand still, or by other processes (`types.Remote`); what is slow about a reward (programs, services, judges)
runs in threads while rows are drawn and weights are moved. How stale rows are weighed is the method's affair:
`advantages.correction.decoupled`.

A checkpoint holds the rows that wait, with their rewards, and not the weights that drew them: K copies of a model are
larger than rows, drawing again costs a step's time, and a reward that was asked once (a service, a person) is not asked
again. So it waits for the rewards that are under way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from rlft.training.ledger import Ledger
from rlft.training.pending import as_state, from_state
from rlft.training.score import Scores
from rlft.types import Problem, Rollouts, Source, Task, UserError

MOST = 16
"""Steps that rows may be drawn ahead: each has a batch in memory, and rows that are older teach little."""


@dataclass(frozen=True)
class Drawing:
    """How a Trainer's rows are drawn.

    ahead   steps before their turn; 0 is at their turn, with the weights that learn from them
    """

    ahead: int = 0


class Apart(Source, Protocol):
    """A Source whose draws can be taken apart: rows, what they earn, what is logged of it."""

    ledger: Ledger

    def drawn_ahead(self, count: int) -> Callable[[], Rollouts]:
        """What gives this process's share of rows for the task's next `count` problems, drawn with the weights as they
        are; called in a thread."""
        ...

    def judged(self, problems: Sequence[Problem], outputs: Any, decisions: int) -> Scores:
        """What the rows earn; called in a thread."""
        ...

    def paid(self, rollouts: Rollouts, scores: Scores, ledger: Ledger, step: int) -> Rollouts:
        """The rows with their rewards, measured and logged as rows of this step."""
        ...

    def count(self, rollouts: Rollouts) -> None:
        """Take rewarded rows into the account of this draw."""
        ...


@dataclass
class Batch:
    """Rows on their way to the step that learns from them: `due` there, drawn when `version` steps were done.

    They are `found` with what they earn in the background, until they are settled.
    """

    due: int
    version: int
    found: Future[tuple[Rollouts, Scores]] | None = None
    rollouts: Rollouts | None = None
    ledger: Ledger = field(default_factory=Ledger)

    def settle(self, source: Apart) -> None:
        """Wait for the rewards, if they have not been taken yet, and log them."""
        if self.found is not None:
            rollouts, scores = self.found.result()
            version = torch.full((len(rollouts),), self.version, device=rollouts.mask.device)
            self.rollouts = source.paid(rollouts.fill(version=version), scores, self.ledger, self.due)
            self.found = None


class Ahead:
    """A `collect`: the task's next P problems, whose rows are drawn `steps` steps before their turn.

    orderly  one reward at a time, in the order of the steps: for a reward that remembers. Otherwise up to `steps` + 1
             of them run side by side.

    The first `steps` + 1 steps learn from rows of the first weights. A batch that cannot be scored is left, and the
    next takes its place; one more is then drawn behind all others, with the weights of that time. So nothing is ever
    older than `steps`. `lag` is that of the rows that were taken last. A run that ends has drawn rows for `steps` steps
    more than it learned from: whoever goes on with it needs them.
    """

    def __init__(self, steps: int, orderly: bool):
        self.steps, self.orderly, self.lag = steps, orderly, 0
        self.waiting: list[Batch] = []

    def __call__(self, source: Apart) -> Rollouts:
        """The rows whose turn it is, with the column `version`."""
        while len(self.waiting) <= self.steps:
            self.waiting.append(self._begun(source))
        batch = self.waiting.pop(0)
        with source.ledger.timed("reward"):
            batch.settle(source)
        assert batch.rollouts is not None
        self.lag = source.steps_done - batch.version
        source.count(batch.rollouts)
        source.ledger.merge(batch.ledger)
        return batch.rollouts

    def settle(self, source: Apart) -> None:
        """Wait for all rewards that are under way."""
        for batch in self.waiting:
            batch.settle(source)

    def leave(self) -> None:
        """Let no row wait any more; rewards that are under way are waited for, so that none is asked behind them."""
        wait([batch.found for batch in self.waiting if batch.found is not None])
        self.waiting = []

    def state_dict(self) -> list[dict[str, Any]]:
        """The rows that wait, in their order; `settle` first."""
        return [
            {
                "rollouts": as_state(batch.rollouts),
                "due": batch.due,
                "version": batch.version,
                "ledger": batch.ledger.state_dict(),
            }
            for batch in self.waiting
        ]

    def load_state_dict(self, state: Sequence[Mapping[str, Any]], task: Task, begun: bool) -> None:
        """Let them wait again; `begun` says whether steps have been done, before which none wait.

        UserError where they were drawn another number of steps ahead.
        """
        if len(state) != (self.steps if begun else 0):
            raise UserError(
                f"the state has rows that were drawn {len(state)} steps ahead, and this run draws {self.steps} ahead: "
                "go on with as many"
            )
        self.waiting = []
        for told in state:
            rollouts = from_state(told["rollouts"], task)
            assert rollouts is not None
            batch = Batch(told["due"], told["version"], rollouts=rollouts)
            batch.ledger.load_state_dict(told["ledger"])
            self.waiting.append(batch)

    def _begun(self, source: Apart) -> Batch:
        """A batch that is drawn and whose rewards are under way."""
        draw, done = source.drawn_ahead(source.prompts), source.steps_done
        before = self.waiting[-1].found if self.orderly and self.waiting else None

        def work() -> tuple[Rollouts, Scores]:
            rows = draw()
            return rows, source.judged(rows.problems, rows.outputs, rows.mask.shape[1])

        return Batch(done + 1 + len(self.waiting), done, in_background(work, before))


def in_background(work: Callable[[], Any], after: Future[Any] | None = None) -> Future[Any]:
    """What `work` returns or raises, from a thread that begins when `after` has ended.

    The thread ends with the process, also in the middle: a reward that hangs does not keep a run that was stopped.
    Without gradients, as everything that is drawn and scored, and on this thread's GPU.
    """
    found: Future[Any] = Future()
    device = torch.cuda.current_device() if torch.cuda.is_initialized() else None

    def run() -> None:
        if after is not None:
            wait([after])
        try:
            if device is not None:
                torch.cuda.set_device(device)
            with torch.no_grad():
                found.set_result(work())
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=run, daemon=True, name="rlft-reward").start()
    return found
