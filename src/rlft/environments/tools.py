"""Python functions as tools that a policy calls in the middle of its row. Not a sandbox, and no model.

A call is `<tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call>`, several may stand in one turn, and a
turn without one ends the conversation.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from rlft.environments.dialogue import CALL
from rlft.environments.signatures import mismatch, schema_of
from rlft.errors import UserError
from rlft.sandbox.spread import spread
from rlft.sandbox.tool_worker import MARK, Failed, Unfit, Worker, place_of
from rlft.types import Message, Problem

# A call at the end of a turn may lack its last tag.
_CALLS = re.compile(f"{CALL[0]}(.*?)(?:{CALL[1]}|\\Z)", re.DOTALL)


class Tools:
    """Functions as a `Dialogue`: each call of a turn is answered with what the function returned.

    functions  functions of modules, with annotated arguments and a docstring: name, arguments and docstring are what a
               chat template tells the model (`schema_of`). What they return is shown as text, or as JSON
    calls      calls that a row may make, those that fail included
    seconds    the wall-clock time of one call
    longest    characters of an answer; the rest is cut off
    workers    processes that call functions side by side, which changes no answer

    Nothing that a model writes raises: a call that is malformed, names no tool, has wrong arguments, is one too many,
    takes too long, kills its process or raises is answered with `error: …` and marked as failed. The functions run in
    processes of their own, so they share no memory with the caller, and one that hangs is killed with all that it has
    started (but for what leaves its process group). Without functions
    every turn is the last.

    `UserError` for a function that no other process can import, or whose arguments have no schema.
    """

    def __init__(
        self,
        functions: Sequence[Callable[..., Any]],
        *,
        calls: int = 8,
        seconds: float = 10.0,
        longest: int = 2000,
        workers: int = 1,
    ):
        if os.environ.get(MARK):
            raise UserError(
                "a tool's own process came to build tools: put `if __name__ == '__main__':` into the script"
            )
        if min(calls, longest, workers) < 1 or not seconds > 0:
            raise UserError(
                f"calls={calls}, seconds={seconds}, longest={longest} and workers={workers} must all be positive"
            )
        self.names = [function.__name__ for function in functions]
        if len(set(self.names)) < len(self.names):
            raise UserError(f"two tools have the same name: {', '.join(self.names)}")
        try:
            places = [place_of(function) for function in functions]
        except Unfit as error:
            raise UserError(str(error)) from None
        self.schemas = [schema_of(function) for function in functions]
        self.stop = CALL[1:] if functions else ()
        self.calls, self.seconds, self.longest = calls, seconds, longest
        self.workers = [Worker(places) for _ in range(workers)]

    def respond(self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]) -> list[list[Message]]:
        """An answer for each call of the last turn, in their order."""
        asked = [(row, call) for row, transcript in enumerate(transcripts) for call in self._asked(transcript)]

        def answer(worker: Worker, call: str | None) -> Message:
            try:
                return Message("tool", _written(self._called(call, worker)))
            except Failed as error:
                return Message("tool", _written(f"error: {error}")[: self.longest], failed=True)
            except (ValueError, TypeError, RecursionError, OverflowError, OSError) as error:  # such as 10,000 brackets
                said = f"error: the call cannot be made: {type(error).__name__}"
                return Message("tool", said[: self.longest], failed=True)

        answers: list[list[Message]] = [[] for _ in transcripts]
        try:
            found = spread(self.workers, answer, [call for _, call in asked])
        except Unfit as error:
            raise UserError(str(error)) from None
        for (row, _), message in zip(asked, found, strict=True):
            answers[row].append(message)
        return answers

    def _asked(self, transcript: Sequence[Message]) -> list[str | None]:
        """The calls of the last turn as they are written; None for one beyond the budget."""
        if not self.names:
            return []
        left = self.calls - sum(message.role == "tool" for message in transcript)
        found = _CALLS.findall(transcript[-1].content)
        return [call if place < left else None for place, call in enumerate(found)]

    def _called(self, call: str | None, worker: Worker) -> str:
        if call is None:
            raise Failed(f"no calls are left, {self.calls} have been made")
        name, arguments = _read(call)
        if name not in self.names:
            raise Failed(f"there is no tool {name[:40]}; there are {', '.join(self.names)}")
        number = self.names.index(name)
        if wrong := mismatch(arguments, self.schemas[number]):
            raise Failed(wrong)
        return worker.call(number, arguments, self.seconds, self.longest)


def _written(text: str) -> str:
    """The text as it can be encoded: JSON can name half a character."""
    return text.encode(errors="replace").decode()


def _read(call: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a call."""
    try:
        found = json.loads(call)
    except (ValueError, RecursionError):
        raise Failed("the call is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise Failed('a call is {"name": …, "arguments": {…}}')
    arguments = found.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Failed("arguments is not an object")
    return found["name"], arguments
