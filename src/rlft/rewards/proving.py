"""A reward that asks a prover: every pair of a task and a text once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import column
from rlft.types import Problem
from rlft.verifiers.known import Known
from rlft.verifiers.proved import Proved


class Proving:
    """1 where all is proved, else 0; NaN where a problem has no task, or the task itself does not work.

    check   what a prover says of pairs of a task and a text
    task    of a problem; None where it has none, `missing` in words
    text    of a completion, what the prover is given of it

    What is known of a pair is kept by content, but for those that ran out of time, which are asked again.
    """

    def __init__(
        self,
        check: Callable[[Sequence[tuple[Any, str]]], list[Proved]],
        task: Callable[[Problem], Any],
        text: Callable[[str], str],
        missing: str,
    ):
        self.check, self.task, self.text, self.missing = check, task, text, missing
        self._known = Known[tuple[Any, str], Proved](lambda proved: proved.reason not in ("timeout", "lost"))

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        proved = self._proved(problems, outputs)
        return column([None if one is None or one.ok is None else float(one.ok) for one in proved])

    def explain(self, problem: Problem, output: Any) -> str:
        """What the prover says."""
        proved = self._proved([problem], [output])[0]
        return self.missing if proved is None else f"{proved.reason}: {proved.detail}".rstrip(": ")

    def _proved(self, problems: Sequence[Problem], outputs: Any) -> list[Proved | None]:
        rows = [(self.task(problem), self.text(str(outputs[row]))) for row, problem in enumerate(problems)]
        found = iter(self._known.of([pair for pair in rows if pair[0] is not None], self.check))
        return [None if task is None else next(found) for task, _ in rows]
