"""A curriculum that keeps to what is hard: phases, after each of which the problems that are seldom solved are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from rlft.advantages.group import everyone
from rlft.noise import permuted
from rlft.types import Rollouts, Source, UserError


class HardFocus:
    """The task's problems in phases of `phase` steps; each goes on with what the last one has left unsolved
    (arXiv:2511.06307, Pre-GRPO, whose groups are of 64 rows).

        rate(x)     = share of the rows of x's newest group that earn `solved` or more
        K_1         = all problems of the task
        K_(i + 1)   = {x in K_i: rate(x) < below}          i + 1 <= phases

    So K_(i + 1) lies inside K_i and what is solved does not come back. A problem that a phase has not come to keeps the
    rate that it had, and one that was never drawn stays. Where fewer than a step's P problems are left, the hardest of
    the solved make up the number. The paper says neither how low a rate is low nor which rows it is taken from.

    phase    steps of a phase; the last one has no end
    phases   how many there are; with one it is `one_batch`, draw for draw
    below    the rate from which a problem is solved, in (0, 1]
    solved   the reward from which a row has solved its problem

    A phase goes through its problems in passes, each in an order of its own. Notes `focus/phase`, from 1,
    `focus/problems`, how many it has, and `focus/informative`, the share of this step's groups with rows that solve
    their problem and rows that do not (`measure.informative`). Every process remembers the same. UserError for a task
    without an end.
    """

    def __init__(self, phase: int, phases: int = 3, below: float = 0.5, solved: float = 1.0):
        if phase < 1 or phases < 1:
            raise UserError(f"a hard focus has at least one phase of at least one step; got {phases} of {phase}")
        if not 0 < below <= 1:
            raise UserError(f"below is a share of a problem's rows, above 0 and at most 1; got {below}")
        self.phase, self.phases, self.below, self.solved = phase, phases, below, solved
        self.kept: list[int] = []
        self.rates: dict[int, float] = {}
        self.visits: dict[int, int] = {}
        self.number = self.passes = self.place = 0

    def __call__(self, source: Source) -> Rollouts:
        self._begin(source)
        drawn = source.ask([self._next(source) for _ in range(source.prompts)])
        informative = self._remember(drawn, source)
        source.notes["focus/phase"] = self.number + 1
        source.notes["focus/problems"] = len(self.kept)
        source.notes["focus/informative"] = informative
        return drawn

    def state_dict(self) -> dict[str, Any]:
        """The phase, its problems and what is known of them."""
        held = {"kept": list(self.kept), "rates": dict(self.rates), "visits": dict(self.visits)}
        return {**held, "number": self.number, "passes": self.passes, "place": self.place}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.kept, self.rates, self.visits = list(state["kept"]), dict(state["rates"]), dict(state["visits"])
        self.number, self.passes, self.place = state["number"], state["passes"], state["place"]

    def _begin(self, source: Source) -> None:
        """The phase that this step belongs to."""
        if not self.kept:
            if source.task.size is None:
                raise UserError(
                    f"a hard focus needs a task with an end, and {source.task.name} has none: give it a size"
                )
            self.kept = [*range(source.task.size)]
        while self.number < min(source.steps_done // self.phase, self.phases - 1):
            ranked = sorted(self.kept, key=lambda index: self.rates.get(index, 0.0))
            hard = sum(self.rates.get(index, 0.0) < self.below for index in ranked)
            self.kept = sorted(ranked[: max(hard, source.prompts)])
            self.number, self.passes, self.place = self.number + 1, self.passes + (self.place > 0), 0

    def _next(self, source: Source) -> tuple[int, int]:
        """The next problem, and how often it has been asked before, which makes its noise another."""
        task = source.task
        # The order of a Stream, as long as all problems are kept.
        key = ("order", source.seed, task.name, task.split, self.passes)
        index = self.kept[permuted(self.place, len(self.kept), *key)]
        self.place += 1
        if self.place == len(self.kept):
            self.passes, self.place = self.passes + 1, 0
        visit = self.visits.get(index, 0)
        self.visits[index] = visit + 1
        return index, visit

    def _remember(self, drawn: Rollouts, source: Source) -> float:
        """Take this step's groups in; the share of them that are mixed."""
        index = torch.tensor([problem.index for problem in drawn.problems], dtype=torch.int64)
        rewards, index = (
            everyone(column.to(drawn.rewards.device), drawn, source.runtime)[0] for column in (drawn.rewards, index)
        )
        right = torch.where(rewards.isnan(), torch.nan, (rewards >= self.solved).double()).reshape(-1, drawn.group)
        shares = right.nanmean(1).tolist()  # NaN where no row could be scored
        self.rates |= {i: s for i, s in zip(index[:: drawn.group].tolist(), shares, strict=True) if s == s}
        return sum(0 < share < 1 for share in shares) / max(len(shares), 1)
