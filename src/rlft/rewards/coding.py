"""The reward of programs: does the Python program of a completion pass the tests of its row? In a jail, or not at all.

Which tests a row has is read by `verifiers.cases`, how they are run is a matter of `verifiers.programs`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import column
from rlft.sandbox.jail import Bare, Jail
from rlft.sandbox.jail import packages as installed
from rlft.sandbox.programs import Limits, Programs
from rlft.types import Problem, Reward, UserError
from rlft.verifiers.cases import Cases, cases_of
from rlft.verifiers.programs import Checked, ProgramTests, program_in


def programs(
    *,
    partial: bool = False,
    seconds: float = 5.0,
    megabytes: int = 1024,
    tolerance: float = 0.0,
    most: int | None = None,
    workers: int | None = None,
    budget: float | None = None,
    packages: bool = False,
    bare: bool = False,
) -> Reward:
    """1 where the program of a completion passes all tests of its row, else 0; with `partial` the share that it passes.

    The program is the last closed block of Python, behind any `</think>`, or the whole completion without blocks. Tests
    are those of APPS, LiveCodeBench or verl rows: scripts with input and output, or calls of a function. NaN: a row
    without tests that can be read, or one that was not reached within `budget` seconds for a batch.

    Each test has `seconds` of processor time, four times as long on the clock, and `megabytes` of memory. Numbers may
    differ by `tolerance`, absolute or relative; only the first `most` tests are run; `workers` jails run side by side,
    one for each processor by default. Programs have Python's standard library, with `packages` also what is installed
    beside this library. UserError without bubblewrap; `bare` runs programs without a jail, as this user.
    """
    if most is not None and most < 1:
        raise UserError(f"programs: most must be at least 1; got {most}")
    limits = Limits(seconds=seconds, wall=4 * seconds, memory=megabytes << 20)
    place = Bare() if bare else Jail(installed() if packages else ())
    jails = Programs(workers or os.cpu_count() or 1, place, sys.executable if packages else None)
    return _Tested(ProgramTests(jails, limits, tolerance, every=partial), partial, most, budget)


class _Tested:
    """The reward; `explain` says what became of the tests."""

    def __init__(self, tests: ProgramTests, partial: bool, most: int | None, budget: float | None):
        self.tests, self.partial, self.most, self.budget = tests, partial, most, budget

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        return column([self._score(checked) for checked in self._checked(problems, outputs)])

    def explain(self, problem: Problem, output: Any) -> str:
        checked = self._checked([problem], [output])[0]
        return "no tests that can be read" if checked is None else str(checked)

    def _checked(self, problems: Sequence[Problem], outputs: Any) -> list[Checked | None]:
        asked = [self._asked(problem) for problem in problems]
        pairs = [(program_in(str(outputs[row])), tests) for row, tests in enumerate(asked) if tests is not None]
        found = iter(self.tests.check(pairs, self.budget))
        return [None if tests is None else next(found) for tests in asked]

    def _asked(self, problem: Problem) -> Cases | None:
        tests = cases_of(problem.columns, problem.answer)
        return tests if tests is None or self.most is None else Cases(tests.each[: self.most], tests.function)

    def _score(self, checked: Checked | None) -> float | None:
        if checked is None:
            return None
        if self.partial:
            return checked.share
        return None if checked.all is None else float(checked.all)
