"""A record whose entries are told to who asks for them, one by one: a patient's file, a case, a log.

What is in it is a column of the problem, so no process and no file is needed. It does not say whether a question was
worth asking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rlft.errors import UserError
from rlft.types import Message, Problem, field_of

ASK = ("<ask>", "</ask>")
_ASKED = re.compile(f"{ASK[0]}(.*?)(?:{ASK[1]}|\\Z)", re.DOTALL)
UNKNOWN = "not recorded"


class Records:
    """Each problem's record as a `Dialogue`: a turn `<ask>fever</ask>` is answered with what the record says of it.

    column   of the problem, {name: value}; names are compared without capitals and outer white space

    The first tag of a turn counts, a turn without one is the last. What the record does not have is answered with
    `not recorded`, and marked as failed.
    """

    schemas: Sequence[dict] = ()
    stop = (ASK[1],)

    def __init__(self, column: str = "record"):
        self.column = column

    def check(self, problem: Problem) -> None:
        """`UserError` for a problem without a record, whether or not it would be asked."""
        entries(problem, self.column)

    def respond(self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]) -> list[list[Message]]:
        """What the record says of what the last turn asked; nothing for a turn that asks nothing."""
        return [self._answer(*pair) for pair in zip(problems, transcripts, strict=True)]

    def _answer(self, problem: Problem, transcript: Sequence[Message]) -> list[Message]:
        name = asked(transcript[-1].content)
        if name is None:
            return []
        said = entries(problem, self.column).get(name)
        return [Message("user", UNKNOWN if said is None else said, failed=said is None)]


def entries(problem: Problem, column: str) -> dict[str, str]:
    """What the problem's record says, by plain names. `UserError` for a problem without one."""
    held = field_of(problem.columns, column)
    if not isinstance(held, Mapping):
        raise UserError(
            f"problem {problem.index} of {problem.task} has no record: its column {column!r} is to be "
            f'{{"name": value, …}}, and is {held!r:.60}'
        )
    return {plain(str(name)): str(value) for name, value in held.items()}


def asked(turn: str) -> str | None:
    """The name that a turn asks for; None if it asks for nothing."""
    found = _ASKED.search(turn)
    return None if found is None else plain(found[1])


def seen(problem: Problem, output: Any, column: str) -> dict[str, str]:
    """What a conversation was told of its record, by plain names."""
    held = entries(problem, column)
    names = [asked(message.content) for message in getattr(output, "messages", ()) if message.own]
    return {name: held[name] for name in names if name in held}


def plain(name: str) -> str:
    """A name as names are compared."""
    return " ".join(name.split()).casefold()
