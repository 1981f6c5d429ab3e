"""The reward of formulas with holes: does Z3 prove the row's goals with what a completion writes? In a jail, always."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import column
from rlft.types import Problem, Reward
from rlft.verifiers.proved import Proved
from rlft.verifiers.smt import Holes, Smt


def smt(*, effort: int = 20_000_000, seconds: float = 20.0) -> Reward:
    """1 where Z3 proves all goals of the row with the functions of the completion, else 0.

    A row has the columns `functions`, signatures by name such as `{"inv": "((x Int)) Bool"}`, `goals`, formulas that
    name them, and if need be `preamble` and `declarations`, commands of SMT-LIB; the first two may be JSON texts. A
    completion is a `(define-fun …)` for each, or the body of the only one; its last closed block, behind any
    `</think>`, or all of it without blocks. NaN: a row without these, or whose goals Z3 does not take.

    `effort` is Z3's own measure and ends at the same point each time; `seconds` of processor time end the rest.
    UserError without Z3 or bubblewrap.
    """
    return _Formulas(Smt(effort, seconds))


class _Formulas:
    """The reward; `explain` says which goal failed."""

    def __init__(self, solver: Smt):
        self.solver = solver
        self._known: dict[tuple[str, str], Proved] = {}

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        solved = [self._solved(problem, str(outputs[row])) for row, problem in enumerate(problems)]
        return column([None if one is None or one.ok is None else float(one.ok) for one in solved])

    def explain(self, problem: Problem, output: Any) -> str:
        solved = self._solved(problem, str(output))
        return "no goals" if solved is None else f"{solved.reason}: {solved.detail}".rstrip(": ")

    def _solved(self, problem: Problem, text: str) -> Proved | None:
        task = _holes(problem.columns)
        if task is None:
            return None
        if len(self._known) > 65536:
            self._known.clear()
        key = repr(task), text
        if key in self._known:
            return self._known[key]
        solved = self.solver.check(task, text)
        if solved.reason not in ("timeout", "lost"):
            self._known[key] = solved
        return solved


def _holes(columns: Mapping[str, Any]) -> Holes | None:
    functions, goals = (_loaded(columns.get(name)) for name in ("functions", "goals"))
    if not isinstance(functions, Mapping) or not functions or not isinstance(goals, list) or not goals:
        return None
    signatures = {str(name): str(signature) for name, signature in functions.items()}
    texts = (str(columns.get(name) or "") for name in ("preamble", "declarations"))
    return Holes(signatures, tuple(map(str, goals)), *texts)


def _loaded(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
