"""The reward of a checker of your own: does a command say that a completion is proved? In a jail, always."""

from __future__ import annotations

import json

from rlft.rewards.proving import Proving
from rlft.types import Problem, Reward
from rlft.verifiers.blocks import last_block
from rlft.verifiers.command import ByCommand, Row


def command(
    words: str, *, reads: str = "", block: str = "", seconds: float = 20.0, memory: float = 4.0, workers: int = 1
) -> Reward:
    """1 where a command of yours says `proved` of a completion, else 0; see `verifiers.command` for what it is told.

    `words` is its command line, `"{python} lean_check.py"`; `reads` are what the jail shows it besides
    `/usr` and what its words name, `"~/.elan,mathlib"`; `block` names the language of which the last closed
    block is taken, behind any `</think>`: by default it is given the whole completion. `seconds` of processor time for
    each, `memory` in gigabytes for each process, `workers` run side by side. NaN: the command says that the row itself
    does not work. UserError where there is no such command, or no bubblewrap.
    """
    shown = [path.strip() for path in reads.split(",") if path.strip()]
    check = ByCommand(words, shown, seconds, memory, workers).check
    return Proving(check, _row, lambda text: last_block(text, {block, ""}) if block else text, "no row")


def _row(problem: Problem) -> Row:
    told = {**problem.columns, "prompt": problem.input, "answer": problem.answer}
    return Row(json.dumps(told, ensure_ascii=False, sort_keys=True, default=str))
