"""A checker of your own as a command: Lean, Isabelle, a tool for high-level synthesis, anything that this library does
not know. Knows none of them itself.

The command is run in a jail for each text, in a folder of its own with two files:

    task.json    the row: its columns, `prompt` and `answer`
    answer.txt   what the model wrote

and is told a word that nobody can guess on the one line of its input. Its verdict is a line of its output that begins
with that word:

    WORD proved                     WORD unreadable no such theorem
    WORD refuted goal 2 is open     WORD error line 3: unknown constant

There must be one such line and no second. So what a tool prints of the text it was given is no verdict, as long as the
command does not pass the word on: it reads its input before it starts a tool, and starts that with an input of its own.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from rlft.errors import UserError
from rlft.sandbox.commands import Command, Commands, Ran
from rlft.sandbox.jail import Bare, Jail, interpreter
from rlft.sandbox.spread import spread
from rlft.verifiers.proved import Proved

REASONS = {
    "proved": "the command says so",
    "refuted": "the command says that it is wrong, or not proved",
    "error": "the command says that it cannot be read",
    "silent": "the command gave no verdict, or more than one",
    "timeout": "it took too long",
    "lost": "the jail ended with it",
    "unreadable": "the command says that the task itself does not work",
}
_SAID = ("proved", "refuted", "error", "unreadable")


@final
@dataclass(frozen=True)
class Row:
    """A task as the command reads it, JSON."""

    json: str


@final
class ByCommand:
    """Jails in which a command is run on each text.

    words    the command line; `{python}` is Python's interpreter
    reads    files and folders that it is shown besides `/usr`, Python and those that its words name
    seconds  of processor time of each run, four times as long on the clock
    memory   gigabytes of address space of each process
    """

    def __init__(
        self,
        words: str,
        reads: Sequence[str | Path] = (),
        seconds: float = 20.0,
        memory: float = 4.0,
        workers: int = 1,
        place: Jail | Bare | None = None,
    ):
        found, self.seconds = _found(words), seconds
        shown = [Path(one).expanduser() for one in reads]
        if missing := [one for one in shown if not one.exists()]:
            raise UserError(f"command: there is no {missing[0]} to be shown to it")
        shown += [Path(word) for word in found if os.path.isabs(word) and Path(word).exists()]
        seen = found if isinstance(place, Bare) else [Jail().seen(Path(w)) if os.path.isabs(w) else w for w in found]
        self.words = tuple(seen)
        limits = (seconds, int(memory * (1 << 30)))
        self._commands = [Commands(shown, *limits, place=place) for _ in range(workers)]

    def check(self, pairs: Sequence[tuple[Row, str]]) -> list[Proved]:
        """What the command says of each text."""
        return spread(self._commands, self._checked, pairs)

    def _checked(self, commands: Commands, pair: tuple[Row, str]) -> Proved:
        word = secrets.token_hex(16)
        files = {"task.json": pair[0].json, "answer.txt": pair[1]}
        ran = commands.run(files, [Command(self.words, f"{word}\n")])
        if ran.code is None:
            return Proved("lost", ran.lost) if ran.lost else Proved("timeout", f"over {self.seconds:g} seconds")
        return _verdict(ran, word)


def _verdict(ran: Ran, word: str) -> Proved:
    found = re.findall(rf"^{word} (\w+) ?(.*)$", ran.said, re.MULTILINE)
    if len(found) != 1 or found[0][0] not in _SAID:
        what = f"{len(found)} verdicts" if found else f"no verdict, exit code {ran.code}"
        return Proved("silent", f"{what}: {' '.join(ran.said.split())[-200:]}")
    return Proved(found[0][0], found[0][1].strip()[:300])


def _found(words: str) -> tuple[str, ...]:
    """The words of a command line, the program and what is a file or a folder here with their whole paths."""
    program, *rest = shlex.split(words) or [""]
    place = interpreter() if program == "{python}" else shutil.which(str(Path(program).expanduser()))
    if not program or place is None:
        raise UserError(
            f"command: there is no program {program!r} here; a command line is wanted, '{{python}} check.py'"
        )
    return (str(Path(place).absolute()), *map(_whole, rest))


def _whole(word: str) -> str:
    path = Path(word).expanduser()
    return str(path.resolve()) if path.exists() else word
