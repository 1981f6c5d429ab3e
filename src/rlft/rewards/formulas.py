"""The reward of formulas with holes: does a solver prove a row's goals with what is written? In a jail, always."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rlft.rewards.proving import Proving
from rlft.types import Problem, Reward
from rlft.verifiers.smt import Holes, Smt


def smt(*, effort: int | None = None, seconds: float = 20.0, solver: str = "z3") -> Reward:
    """1 where Z3, or cvc5, proves all goals of the row with the functions of the completion, else 0.

    A row has the columns `functions`, signatures by name such as `{"inv": "((x Int)) Bool"}`, `goals`, formulas that
    name them, and if need be `preamble` and `declarations`, commands of SMT-LIB; the first two may be JSON texts. A
    completion is a `(define-fun …)` for each, or the body of the only one; its last closed block, behind any
    `</think>`, or all of it without blocks. NaN: a row without these, or whose goals the solver does not take.

    `effort` is the solver's own measure and ends at the same point each time, by default 20 million of Z3's or 4
    million of cvc5's; `seconds` of processor time end the rest. UserError without the solver or bubblewrap.
    """
    return Proving(Smt(effort, seconds, solver=solver).check_all, _holes, str, "no goals")


def _holes(problem: Problem) -> Holes | None:
    columns = problem.columns
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
