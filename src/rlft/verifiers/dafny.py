"""Programs with contracts, verified by Dafny: the task has the contract, the policy writes the program and its proof.

Dafny says "0 errors" of much that proves nothing: what is assumed, has no body or is not to be verified. So the program
is read as Dafny itself prints it after parsing. There the task's own items must stand word for word, the policy's must
be of kinds that have a body and have one, and no word of it may assume anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from rlft.sandbox.commands import Command, Commands, installed
from rlft.sandbox.jail import Bare, Jail
from rlft.sandbox.spread import spread
from rlft.verifiers.blocks import last_block
from rlft.verifiers.known import Known
from rlft.verifiers.proved import Proved

REASONS = {
    "proved": "all is verified, and nothing is assumed",
    "unproved": "a condition, an invariant or the end of a loop could not be proved",
    "error": "Dafny does not take the text",
    "other": "the task's method is not there, or has another contract",
    "assumes": "something is assumed, is not to be verified, or has no body",
    "refused": "an item of a kind that is not for programs here, such as a module or an include",
    "timeout": "it took too long",
    "lost": "Dafny ended with it",
    "unreadable": "the task's own contract, preamble or client does not work",
}
_KINDS = re.compile(r"(ghost )?(method|lemma|function|function method|predicate|predicate method|datatype) ")
# Attributes are among these: `{:axiom}`, `{:extern}`, `{:verify false}` and others like them.
_ASSUMES = re.compile(r"\bassume\b|\bexpect\b|\{:|\bdecreases \*")
_FINISHED = re.compile(r"^Dafny program verifier finished with (\d+) verified, (\d+) errors?$", re.MULTILINE)
_MEMORY = 4 << 30


@final
@dataclass(frozen=True)
class Contract:
    """A task.

    header    the head of a method, `method Max(a: int, b: int) returns (m: int) ensures m >= a && …`, without a body
    preamble  functions, predicates and datatypes that it names
    client    methods that call the policy's and assert what must follow; without a header they are the contract, and
              the policy's own conditions must be strong enough for them
    """

    header: str = ""
    preamble: str = ""
    client: str = ""


@final
@dataclass(frozen=True)
class _Item:
    """A declaration as Dafny prints it: the lines before its body, and the body, None if there is none."""

    head: str
    body: str | None

    @property
    def whole(self) -> bool:
        return self.body is not None or self.head.startswith("datatype ")


@final
class Dafny:
    """Jails in which each text is a run of Dafny.

    seconds  of processor time of a run, four times as long on the clock
    """

    def __init__(self, seconds: float = 20.0, workers: int = 1, place: Jail | Bare | None = None):
        found = installed("dafny", "dafny", "programs with contracts are verified by Dafny")
        self.program, self.seconds = str(found), seconds
        reads = [path for path in (Path("/etc/mono"), found.resolve().parent) if path.exists()]
        self._commands = [Commands(reads, seconds, _MEMORY, place=place) for _ in range(workers)]
        self._tasks = Known[Contract, tuple[str, tuple[_Item, ...]] | Proved]()

    def check(self, pairs: Sequence[tuple[Contract, str]]) -> list[Proved]:
        """Each task and a completion's program for it: whole items, or what follows the header."""
        return spread(self._commands, self._checked, pairs)

    def _checked(self, commands: Commands, pair: tuple[Contract, str]) -> Proved:
        task, text = pair
        known = self._tasks.of([task], lambda new: [self._task(commands, one) for one in new])[0]
        if isinstance(known, Proved):
            return known
        if text.lstrip().startswith("{"):
            text = f"{task.header}\n{text}"
        # The one is printed nowhere, the other could look like items in what is printed.
        if found := re.search(r'\binclude\b|@"', text):
            return Proved("refused", found[0])
        code, said, items = self._ran(commands, f"{task.preamble}\n{text}\n{task.client}\n", verify=True)
        if code is None or code < 0:
            return (
                Proved("timeout", f"not verified within {self.seconds:g} seconds") if not said else Proved("lost", said)
            )
        if "parse errors detected" in said or not items:
            return Proved("error", _error(said))
        if fault := _fault(items, *known, said):
            return fault
        finished = _FINISHED.search(said)
        if finished is None:
            return Proved("error", _error(said))
        if code != 0 or int(finished[2]) or not int(finished[1]):
            return Proved("unproved", _error(said) if int(finished[2]) else "nothing was to be verified")
        return Proved("proved")

    def _task(self, commands: Commands, task: Contract) -> tuple[str, tuple[_Item, ...]] | Proved:
        """The method's head as Dafny prints it, and the other items of the task."""
        if not task.header.strip() and not task.client.strip():
            return Proved("unreadable", "no header and no client")
        code, said, items = self._ran(commands, f"{task.header}\n{task.preamble}\n{task.client}\n", verify=False)
        heads = [item.head for item in items if not item.whole]
        if code != 0 or len(heads) != bool(task.header.strip()):
            return Proved("unreadable", _error(said) or "one method without a body, and the rest with theirs, expected")
        return "".join(heads), tuple(item for item in items if item.whole)

    def _ran(self, commands: Commands, text: str, verify: bool) -> tuple[int | None, str, list[_Item]]:
        """The exit code, what Dafny says, and the items of the text; neither code nor words if it was late."""
        more = () if verify else ("/noResolve",)
        words = (self.program, "/nologo", "/compile:0", "/dprint:printed.txt", *more, "task.dfy")
        ran = commands.run({"task.dfy": text}, [Command(words)], ("printed.txt",))
        said = ran.said if ran.code is not None or ran.lost else ""
        return ran.code, said, _items(ran.files.get("printed.txt", ""))


def dafny_in(text: str) -> str:
    """The program of a completion: its last closed block of Dafny, behind any `</think>`; all of it without blocks."""
    return last_block(text, {"dafny", "dfy", ""})


def _items(printed: str) -> list[_Item]:
    """What stands in a text that Dafny has printed: an item begins at the start of a line, and so does its body."""
    items: list[_Item] = []
    head: list[str] = []
    body: list[str] | None = None
    for line in [*printed.splitlines(), "end"]:
        if line.startswith("//") or (not line.strip() and body is None):
            continue
        if body is not None or line == "{":
            body = [*(body or []), line]
        elif line[0] in " }":
            head.append(line.strip())
        else:
            if head:
                items.append(_Item(" ".join(head), None))
            head = [line.strip()]
        if line == "}" and body is not None:
            items.append(_Item(" ".join(head), "\n".join(body)))
            head, body = [], None
    return items


def _fault(items: Sequence[_Item], header: str, own: Sequence[_Item], said: str) -> Proved | None:
    """What is wrong with a program that Dafny could read, if anything is."""
    left = list(items)
    for item in own:
        if item not in left:
            return Proved("other", f"the task's own {item.head[:80]} is not there as it was")
        left.remove(item)
    for item in left:
        if not _KINDS.match(item.head):
            return Proved("refused", item.head[:80])
    if "has no body" in said:
        return Proved("assumes", _line(said, "has no body"))
    for item in left:
        if not item.whole:
            return Proved("assumes", f"no body: {item.head[:80]}")
        head = item.head.replace(header, "") if header else item.head
        if found := _ASSUMES.search(f"{head}\n{item.body}"):
            return Proved("assumes", found[0])
    if header and header not in [item.head for item in left]:
        return Proved("other", f"expected {header[:200]}")
    return None


def _error(said: str) -> str:
    return _line(said, "Error")


def _line(said: str, word: str) -> str:
    return next((line.strip() for line in said.splitlines() if word in line), "")[:300]
