"""The reward of programs with contracts: does Dafny verify a completion for its row's? In a jail, always."""

from __future__ import annotations

from rlft.rewards.proving import Proving
from rlft.types import Problem, Reward
from rlft.verifiers.dafny import Contract, Dafny, dafny_in


def dafny(*, seconds: float = 20.0, workers: int = 1) -> Reward:
    """1 where Dafny verifies the program of a completion against its row's contract, and nothing is assumed, else 0.

    A row has the column `header` (or it is the answer), the head of a method with its conditions and without a body; or
    `client`, methods that call the one asked for and assert what must follow, where the completion writes the
    conditions too; or both; and if need be `preamble`, what these name. A completion is whole items, or what follows
    the header; its last closed block, behind any `</think>`, or all of it without blocks. NaN: none of these columns,
    or what Dafny does not take.

    `seconds` of processor time for each, `workers` run side by side. UserError without Dafny or bubblewrap.
    """
    return Proving(Dafny(seconds, workers).check, _contract, dafny_in, "no header and no client")


def _contract(problem: Problem) -> Contract | None:
    columns = problem.columns
    client, preamble = (str(columns.get(name) or "") for name in ("client", "preamble"))
    header = str(columns.get("header") or ("" if client else problem.answer) or "")
    return Contract(header, preamble, client) if header.strip() or client.strip() else None
