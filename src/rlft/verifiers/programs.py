"""Python programs against their tests: what they print or return is compared here, outside the jail they ran in.

A program is given one test's input at a time, in a fork of its own, and never what is expected: it has nothing to read,
no comparison to change, and no message that it could forge but its output, which is what is judged.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from rlft.sandbox.programs import Limits, Program, Programs, Verdict
from rlft.verifiers.blocks import last_block
from rlft.verifiers.cases import Cases, expected_values
from rlft.verifiers.known import Known
from rlft.verifiers.outputs import read_value, same_text, same_value

_PYTHON = {"python", "python3", "py", ""}
# What programs said is remembered as long as it is short.
_SHORT = 4096


@final
@dataclass(frozen=True)
class Checked:
    """What came of each test of one program: whether it passed, None if it was not run, and why not.

    Unless all are asked for, the rest is not run once the first has failed.
    """

    passed: tuple[bool | None, ...]
    why: tuple[str, ...]

    @property
    def all(self) -> bool | None:
        """Whether every test passed; None if the time for them ran out."""
        if False in self.passed:
            return False
        return None if None in self.passed else True

    @property
    def share(self) -> float | None:
        """The share of tests that passed; None if not all of them were run."""
        return None if None in self.passed else sum(map(bool, self.passed)) / len(self.passed)

    def __str__(self) -> str:
        failed = next((n for n, passed in enumerate(self.passed) if not passed), None)
        begin = f"{sum(map(bool, self.passed))} of {len(self.passed)} tests passed"
        return begin if failed is None else f"{begin}; test {failed + 1}: {self.why[failed]}"


def program_in(text: str) -> str:
    """The program of a completion: its last closed block of Python, behind any `</think>`; all of it without blocks."""
    return last_block(text, _PYTHON)


@final
class ProgramTests:
    """Runs programs against tests, many at once, and remembers by content what came of them.

    A program that is given the same input for another problem is not run again either; its output is compared anew.

    programs   the jails
    limits     of one test of one program
    tolerance  by how much numbers may differ, see `outputs`
    every      whether all tests are run though one has failed
    """

    def __init__(self, programs: Programs, limits: Limits = Limits(), tolerance: float = 0.0, every: bool = False):
        self.programs, self.limits, self.tolerance, self.every = programs, limits, tolerance, every
        self._known = Known[tuple[str, Cases], tuple[Checked, bool]](lambda found: found[1])
        self._ran = Known[Program, Verdict](
            lambda verdict: self._settled(verdict) and len(verdict.stdout) + len(verdict.value) <= _SHORT
        )

    def check(self, pairs: Sequence[tuple[str, Cases]], budget: float | None = None) -> list[Checked]:
        """Each program against its tests, `budget` seconds for all; equal ones are run once."""
        written = [pair for pair in pairs if pair[0].strip()]
        found = iter(self._known.of(written, lambda new: self._run(new, budget)))
        # No program would pass a test that wants no output.
        return [next(found)[0] if source.strip() else _nothing(tests) for source, tests in pairs]

    def _run(self, pairs: list[tuple[str, Cases]], budget: float | None) -> list[tuple[Checked, bool]]:
        """The result of each, and whether it would be the same again.

        Most wrong programs fail the first test, so all of these go first, and what failed goes no further.
        """
        until = None if budget is None else time.monotonic() + budget
        verdicts: list[list[Verdict | None]] = [[None] * len(tests.each) for _, tests in pairs]
        results: list[list[bool | None]] = [[None] * len(tests.each) for _, tests in pairs]
        firsts = [(row, 0) for row in range(len(pairs))]
        rest = [(row, case) for row, (_, tests) in enumerate(pairs) for case in range(1, len(tests.each))]
        for part in (firsts, rest):
            part = [(row, case) for row, case in part if self.every or results[row][0] is not False]
            asked = [Program(pairs[r][0], pairs[r][1].each[c].given, pairs[r][1].function) for r, c in part]
            left = None if until is None else until - time.monotonic()
            ended = self._ran.of(asked, lambda new, left=left: self.programs.run(new, self.limits, left))
            for (row, case), verdict in zip(part, ended, strict=True):
                tests = pairs[row][1]
                verdicts[row][case] = verdict
                results[row][case] = None if verdict.reason == "unrun" else self._right(verdict, tests, case)
        made = []
        for result, said in zip(results, verdicts, strict=True):
            why = tuple("" if right else _why(verdict) for right, verdict in zip(result, said, strict=True))
            made.append((Checked(tuple(result), why), all(v is None or self._settled(v) for v in said)))
        return made

    def _settled(self, verdict: Verdict) -> bool:
        """Whether the same would come out again, on a busier machine too."""
        waited = verdict.reason == "timeout" and verdict.seconds < self.limits.seconds
        return verdict.reason not in ("lost", "unrun") and not waited

    def _right(self, verdict: Verdict, tests: Cases, number: int) -> bool:
        case = tests.each[number]
        if not verdict.ok:
            return False
        if tests.function is None:
            return same_text(case.expected, verdict.stdout, self.tolerance)
        value = read_value(verdict.value)
        return any(same_value(expected, value, self.tolerance) for expected in expected_values(case))


def _nothing(tests: Cases) -> Checked:
    return Checked((False,) * len(tests.each), ("no program",) * len(tests.each))


def _why(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not run"
    if not verdict.ok:
        return f"{verdict.reason}: {verdict.detail}"
    return "the output is not the expected one"
