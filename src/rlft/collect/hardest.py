"""Demonstrations of what no rollout solves, beside the rollouts. Nothing here imitates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.advantages.group import everyone
from rlft.collect.beside import behind, beside, lessons
from rlft.collect.sources import one_batch
from rlft.types import Collect, Rollouts, Source, UserError


class Hardest:
    """One batch, and now and then demonstrations of the questions that it has not solved (arXiv:2506.07527, Alg. 1).

    A group none of whose rows reaches the reward `solved`, and all of whose rows have at least `formed`, is of a
    question that is too hard: if it can be demonstrated it is put on top of a buffer. When the buffer holds
    `size`, the `size` newest are taken out and demonstrated beside that step's rows, which the column `demonstrated`
    tells apart.

    size      demonstrations at a time; None is as many as the step has problems
    solved    the reward from which a row has solved its problem
    formed    the least reward of a row that is wrong and yet well formed: a group that has rows below is left alone
    collect   where the rows come from

    A question is in the buffer once: one that fails again moves to the top. Demonstrations stand behind all drawn rows
    in the batch; no part of the step's groups, they have NaN rewards. A group with a row that could not be scored is
    left alone. A buffer that never fills is `collect`, draw for draw. Notes `hardest/waiting`, the questions in the
    buffer after this step, and `hardest/shown`. Every process remembers the same.
    """

    def __init__(
        self,
        size: int | None = None,
        solved: float = 1.0,
        formed: float = -float("inf"),
        collect: Collect = one_batch,
    ):
        if size is not None and size < 1:
            raise UserError(f"size is the number of demonstrations at a time, at least 1; got {size}")
        self.size, self.solved, self.formed, self.collect = size, solved, formed, collect
        self.waiting: list[int] = []

    def __call__(self, source: Source) -> Rollouts:
        drawn, size = self.collect(source), self.size or source.prompts
        if size < source.runtime.world:
            raise UserError(f"{size} demonstrations cannot be shared over {source.runtime.world} processes: raise size")
        for index in self._unsolved(drawn, source):
            if index in self.waiting:
                self.waiting.remove(index)
            self.waiting.append(index)
        due = len(self.waiting) >= size
        shown = self.waiting[-size:][::-1] if due else []
        self.waiting = self.waiting[: -len(shown)] if shown else self.waiting
        source.notes.update({"hardest/waiting": len(self.waiting), "hardest/shown": len(shown)})
        if not shown:
            return drawn
        taught = source.teach(shown)
        return beside(drawn, taught.place(taught.position + behind(drawn, source)))

    def state_dict(self) -> dict[str, Any]:
        """The questions that wait."""
        return {"waiting": list(self.waiting)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let them wait again."""
        self.waiting = list(state["waiting"])

    def _unsolved(self, drawn: Rollouts, source: Source) -> list[int]:
        """The questions of this step's groups that are too hard and can be demonstrated, in the order of the batch."""
        rewards, _ = everyone(drawn.rewards, drawn, source.runtime)
        groups = rewards.reshape(-1, drawn.group)
        hard = ((groups < self.solved) & (groups >= self.formed)).all(1)  # NaN is neither
        return [name for name in lessons(drawn, source).to(hard.device)[hard].tolist() if name >= 0]
