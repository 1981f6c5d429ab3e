"""Tools that read what a model wrote, run in a jail: compilers, provers, simulators, as command lines on files.

What a tool says is text, and whether it means what was hoped for is for a verifier to tell (`rlft.verifiers`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from rlft.errors import UserError
from rlft.sandbox import SCRIPTS
from rlft.sandbox.child import Child, Unanswered
from rlft.sandbox.jail import Bare, Jail, here, interpreter


@final
@dataclass(frozen=True)
class Command:
    """The words of a command line, the first of them the program with its path, and what it reads from its input."""

    words: tuple[str, ...]
    given: str = ""


@final
@dataclass(frozen=True)
class Ran:
    """What became of some commands: of each its exit code (None: it was late) and what it said; the files asked for.

    After a command whose code is not 0 no other is run. `lost` says why there is nothing, if the jail ended with them.
    """

    each: tuple[tuple[int | None, str], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    lost: str = ""

    @property
    def code(self) -> int | None:
        """Of the last command that ran; None if it was late or lost."""
        return self.each[-1][0] if self.each else None

    @property
    def said(self) -> str:
        """By the last command that ran, or why there is nothing."""
        return self.each[-1][1] if self.each else self.lost


@final
class Commands:
    """A jail in which tools are run, one job after another, each in a folder of its own that is gone afterwards.

    reads    files and folders of the tools that a jail does not have by itself; all of `/usr` is there
    seconds  of processor time for each command, four times as long on the clock
    memory   bytes of address space of each process
    disk     bytes of a file

    UserError at once where no jail can be made.
    """

    def __init__(
        self,
        reads: Sequence[Path] = (),
        seconds: float = 10.0,
        memory: int = 2 << 30,
        disk: int = 16 << 20,
        place: Jail | Bare | None = None,
    ):
        self._limits: dict[str, float] = {"seconds": seconds, "memory": memory, "disk": disk}
        if place is None:
            here()
        self._child = Child(SCRIPTS / "commands_child.py", place or Jail(tuple(reads)), interpreter())

    def run(
        self,
        files: Mapping[str, str],
        commands: Sequence[Command],
        wanted: Sequence[str] = (),
        seconds: float | None = None,
    ) -> Ran:
        """The commands in the folder of these files, one after the other as long as their code is 0."""
        asked = [(command.words, command.given) for command in commands]
        limits = self._limits if seconds is None else {**self._limits, "seconds": seconds}
        wall = len(asked) * (5 * limits["seconds"] + 10)
        try:
            each, found = self._child.ask(dict(files), asked, wanted, limits, seconds=limits["seconds"], wall=wall)
        except Unanswered as error:
            return Ran(lost=str(error))
        return Ran(tuple((code, said) for code, said in each), found)


def installed(program: str, package: str, use: str) -> Path:
    """Where a program is. UserError that says what it is for, `proofs are checked by Coq`, and what to install."""
    found = shutil.which(program)
    if found is None:
        raise UserError(f"{use}, and there is no `{program}` here: apt-get install {package}")
    return Path(found)
