"""Programs that a model wrote, run in a jail: each has limits and becomes a `Verdict`, whatever it does.

    with a warm interpreter in each of several jails, which forks for each program (`programs_child`)

What a program printed or returned is data: whether it is right is for whoever knows what was expected, here outside.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, final

from rlft.errors import UserError
from rlft.sandbox import SCRIPTS
from rlft.sandbox.child import Child, Unanswered
from rlft.sandbox.jail import Bare, Jail, here, interpreter
from rlft.sandbox.spread import spread

REASONS = {
    "ok": "it ended with code 0",
    "exit": "it ended with another code: an exception that nobody caught, `sys.exit(1)`, no function of the name",
    "type": "its function raised, or returned what JSON does not have",
    "timeout": "it took too much processor time, or too long",
    "memory": "it asked for more memory than it may have",
    "disk": "it wrote a larger file than it may, or more than there is room for",
    "processes": "it started more processes or threads than it may",
    "output": "it said more than it may",
    "killed": "a signal ended it, also one of its own, or too deep a recursion",
    "lost": "the jail ended with it, or it left what could not be removed",
    "unrun": "there was no time left to run it",
}
"""Every reason that a `Verdict` may have."""


@final
@dataclass(frozen=True)
class Limits:
    """What one program may take.

    seconds    of processor time, for each of its processes
    wall       seconds of the clock
    memory     bytes of address space, for each of its processes; the interpreter itself takes about 40 MB
    disk       bytes of one file; `Jail.disk` bounds all of them
    output     bytes of its output, error output and value together
    processes  processes and threads at once, itself included, where the jail can bound them (`Programs.bounded`)
    """

    seconds: float = 5.0
    wall: float = 20.0
    memory: int = 1 << 30
    disk: int = 16 << 20
    output: int = 1 << 20
    processes: int = 16

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise UserError(f"Limits: {field.name} must be more than 0; got {getattr(self, field.name)}")


@final
@dataclass(frozen=True)
class Program:
    """One run: the source, and the script's input, or the `function` to call with arguments, as a JSON list."""

    source: str
    given: str = ""
    function: str | None = None


@final
@dataclass(frozen=True)
class Verdict:
    """What became of a program.

    reason   one of `REASONS`; detail in words
    code     exit code, or minus the signal
    stdout   what it printed; stderr, the end of it; value, what the function returned, as JSON: all untrusted
    seconds  processor time; wall, seconds of the clock
    """

    reason: str
    detail: str = ""
    code: int = 0
    stdout: str = ""
    stderr: str = ""
    value: str = ""
    seconds: float = 0.0
    wall: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it ended as a program should."""
        return self.reason == "ok"


@final
class Programs:
    """Jails with a warm interpreter each. Started at the first program; may be shared by threads, pickled and forked.

    workers  jails, which run programs side by side
    place    `Jail()`, or `Bare()` to run programs without one
    python   the interpreter inside; `sys.executable` with `Jail(packages())` for one that has this process's packages

    `UserError` at once where there is no bubblewrap, or none that works.
    """

    def __init__(self, workers: int = 1, place: Jail | Bare = Jail(), python: str | None = None):
        if workers < 1:
            raise UserError(f"Programs: workers must be at least 1; got {workers}")
        if isinstance(place, Jail):
            here()
        script, python = SCRIPTS / "programs_child.py", python or interpreter()
        self._children = [Child(script, place, python, first=isinstance(place, Jail)) for _ in range(workers)]

    def run(self, programs: Sequence[Program], limits: Limits = Limits(), budget: float | None = None) -> list[Verdict]:
        """A verdict for each program, in their order; `unrun` for those not begun when `budget` seconds have passed."""
        until = None if budget is None else time.monotonic() + budget

        def verdict(child: Child, program: Program) -> Verdict:
            if until is not None and time.monotonic() > until:
                return Verdict("unrun", REASONS["unrun"])
            return _run(child, program, limits)

        if len(self._children) == 1 or len(programs) == 1:
            return [verdict(self._children[0], program) for program in programs]
        return spread(self._children, verdict, programs)

    def bounded(self) -> str:
        """What bounds the number of a program's processes on this machine, in words."""
        return self._children[0].ask("bounded", seconds=10.0)


def _run(child: Child, program: Program, limits: Limits) -> Verdict:
    question: list[Any] = [program.source, program.function, program.given, vars(limits)]
    try:
        # The child keeps the time; the second clock is for one that does not answer.
        return Verdict(**child.ask("run", *question, seconds=limits.seconds, wall=2 * limits.wall + 10))
    except Unanswered as error:
        return Verdict("lost", f"the jail ended with it: {error}")
