"""Programs that speak to the policy as to a served model: an unchanged agent of OpenAI's chat protocol is who answers.

The program is run once for each row. What it asks first is the row's prompt, the policy's turn is what it is answered
with, what it says next (tools' results, a user's words) stands in the row behind the very tokens that were drawn, and
what it returns is what the conversation came to. Not a sandbox.
"""

from __future__ import annotations

import itertools
import json
import queue
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rlft.environments.dialogue import CALL
from rlft.environments.endpoint import Endpoint, Line, Served, completion
from rlft.errors import UserError, say
from rlft.types import Message, Problem

Program = Callable[[Mapping[str, Any], Served], Any]
Said = tuple[tuple[str, str], ...]
_CALLS = re.compile(f"{CALL[0]}(.*?)(?:{CALL[1]}|\\Z)", re.DOTALL)
_ASKED = "asked_of_agent"  # the column that keeps what the data asked, as the program's words take its place


class Agents:
    """A program as a `Dialogue` that opens.

    program  called with a problem (`{"input": …, **columns}`) and where the policy is (`endpoint.Served`), once for
             each row, side by side in threads. It asks as often as it likes, each time with all of the conversation in
             `messages`, and returns what it came to: a number for the reward `result`, a text, or nothing
    seconds  that it may take between two requests

    How a turn is drawn is the policy's affair: temperature, top_p, max_tokens and seed of a request are passed over,
    what else it would not get is refused with status 400. `tools` of a request are shown to the policy as its chat
    template shows tools, and `<tool_call>{"name": …, "arguments": …}</tool_call>` in a turn becomes `tool_calls` of
    the answer.

    A row is one conversation: each request continues the one before it. A program that begins another one, raises, or
    is not heard from in time ends its row with a failed message of the role `result`, for which there is no score. What
    it asks must depend on the problem and on what it was answered, so that it can be run again: a conversation whose
    program is gone (a run that was killed) is told to a new one.

    The first error of a batch is said on stderr. `UserError` where a program fails before it asks anything.
    """

    stop: Sequence[str] = ()

    def __init__(self, program: Program, *, seconds: float = 600.0):
        if not seconds > 0:
            raise UserError(f"an agent needs time to ask, more than seconds={seconds}")
        self.program, self.seconds = program, seconds
        self.schemas: list[dict[str, Any]] = []
        self._endpoint: Endpoint | None = None
        self._told = False
        self._waiting: dict[tuple[Any, Said], list[_Running]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the server and those who wait for it: they are of this process."""
        return {**vars(self), "_endpoint": None, "_waiting": {}}

    def opened(self, problems: Sequence[Problem]) -> list[Problem]:
        """Each problem with what its program asks first as its input: chat messages."""
        self._end_all()
        self._told = False
        started = [self._started(problem) for problem in problems]
        return [self._first(problem, running) for problem, running in zip(problems, started, strict=True)]

    def respond(self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]) -> list[list[Message]]:
        """What each program said next, or its result."""
        running = [self._taken(p, _said(t[:-1])) for p, t in zip(problems, transcripts, strict=True)]
        for its, problem, transcript in zip(running, problems, transcripts, strict=True):
            if not its.said:
                self._retell(its, problem, transcript[:-1])
            its.tell(transcript[-1])
        answers = [its.heard(self.seconds) for its in running]
        self._tell_of([answer[-1].content for answer in answers if answer[-1].failed])
        for its, problem, transcript, answer in zip(running, problems, transcripts, answers, strict=True):
            if answer[-1].role == "result":
                its.end("the conversation is over")
            else:
                self._waiting.setdefault((problem.key, _said([*transcript, *answer])), []).append(its)
        return answers

    def _tell_of(self, errors: Sequence[str]) -> None:
        if errors and not self._told:
            say(f"an agent's program failed, and its row has no score: {errors[0]}")
            self._told = True

    def _started(self, problem: Problem) -> _Running:
        self._endpoint = self._endpoint or Endpoint()
        columns = dict(problem.columns)
        asked = columns.pop(_ASKED, problem.input)
        return _Running(self.program, {"input": asked, **columns, "answer": problem.answer}, self._endpoint)

    def _first(self, problem: Problem, running: _Running) -> Problem:
        """And the program waits for the turn."""
        begun = running.heard(self.seconds)
        if begun[-1].role == "result":
            how = begun[-1].content if begun[-1].failed else "it ended without asking the policy anything"
            raise UserError(f"the agent's program, for problem {problem.index} of {problem.task}: {how}")
        self._show(running.tools)
        self._waiting.setdefault((problem.key, ()), []).append(running)
        columns = {**problem.columns, _ASKED: problem.columns.get(_ASKED, problem.input)}
        messages = [{"role": message.role, "content": message.content} for message in begun]
        return replace(problem, input=messages, columns=columns)

    def _show(self, tools: list[dict[str, Any]]) -> None:
        if self.schemas and tools != self.schemas:
            raise UserError("the agent's program offers other tools to some problems than to others: offer the same")
        self.schemas = tools

    def _taken(self, problem: Problem, said: Said) -> _Running:
        """A program that waits where this conversation is, whichever row it was run for, or a new one."""
        waiting = self._waiting.get((problem.key, said))
        if waiting:
            return waiting.pop()
        return self._started(problem)

    def _retell(self, running: _Running, problem: Problem, transcript: Sequence[Message]) -> None:
        """Bring a new program to where the conversation is."""
        turns = [place for place, message in enumerate(transcript) if message.own]
        between = [transcript[a + 1 : b] for a, b in itertools.pairwise([*turns, len(transcript)])]
        begun = [Message(message["role"], message["content"]) for message in problem.input]
        for place, wanted in enumerate([begun, *between]):
            said = running.heard(self.seconds)
            if said[-1].failed:
                raise UserError(
                    f"the agent's program, for problem {problem.index} of {problem.task}: {said[-1].content}"
                )
            if _said(said) != _said(wanted):
                raise UserError(
                    f"the agent's program, for problem {problem.index} of {problem.task}, said "
                    f"{said[-1].content!r:.80} where it had said {wanted[-1].content!r:.80} before: what it asks must "
                    "depend on the problem and on the answers alone"
                )
            if place < len(turns):
                running.tell(transcript[turns[place]])

    def _end_all(self) -> None:
        for waiting in self._waiting.values():
            for running in waiting:
                running.end("the conversation was ended: a turn was cut off, or it had as many turns as it may have")
        self._waiting = {}


class _Running:
    """One run of the program: `heard` and `tell` in turn."""

    def __init__(self, program: Program, problem: Mapping[str, Any], endpoint: Endpoint):
        self.endpoint, self.line = endpoint, endpoint.open()
        self.tools: list[dict[str, Any]] = []
        self.said: list[tuple[str, str]] = []
        threading.Thread(target=_run, args=(program, problem, self.line), daemon=True, name="rlft-agent").start()

    def heard(self, seconds: float) -> list[Message]:
        """What the program says next, or one message of the role `result`."""
        try:
            news = self.line.next(seconds)
        except queue.Empty:
            return [Message("result", f"error: nothing was heard of it for {seconds:g} seconds", failed=True)]
        if isinstance(news, Message):
            return [news]
        try:
            return self._continued(news)
        except _Unlike as error:
            self.line.hang_up(str(error))
            return [Message("result", f"error: {error}", failed=True)]

    def tell(self, turn: Message) -> None:
        """The policy's turn, as the answer to what it was asked."""
        content, calls = _parted(turn.content) if self.tools else (turn.content, [])
        self.said.append(("assistant", content.strip()))
        self.line.answer(completion(self.endpoint.model, content if content or not calls else None, calls))

    def end(self, words: str) -> None:
        """It is not answered any more."""
        self.endpoint.close(self.line, words)

    def _continued(self, request: Mapping[str, Any]) -> list[Message]:
        """The messages behind those that were said; `_Unlike` if it is not these that it begins with."""
        messages = [(str(message.get("role")), _text(message)) for message in request["messages"]]
        tools = list(request.get("tools") or [])
        if self.said and tools != self.tools:
            raise _Unlike("it offers other tools than at first")
        before = len(self.said)
        if len(messages) <= before or any(map(_differ, messages, self.said)):
            raise _Unlike(
                "it began another conversation; a row is one, in which what was said stays in `messages` as it was said"
            )
        new = messages[before:]
        if before and any(role == "assistant" for role, _ in new):
            raise _Unlike("it puts words into the policy's mouth")
        self.tools, self.said = tools, messages
        return [Message(role, content) for role, content in new]


class _Unlike(Exception):
    """A request that does not continue its conversation."""


def _run(program: Program, problem: Mapping[str, Any], line: Line) -> None:
    """In the thread of one row: the program, and what it came to."""
    try:
        found = program(problem, line.served)
        text = found if isinstance(found, str) else "" if found is None else json.dumps(found)
        line.put(Message("result", text))
    except SystemExit as error:
        line.put(Message("result", f"error: it left with {error.code!r}", failed=True))
    except Exception as error:  # whatever the program raises
        line.put(Message("result", f"error: {type(error).__name__}: {error}"[:2000], failed=True))


def _differ(now: tuple[str, str], before: tuple[str, str]) -> bool:
    return now[0] != before[0] or now[1].strip() != before[1].strip()


def _text(message: Mapping[str, Any]) -> str:
    """The content as text; parts of it, of the type `text`, one behind the other."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    if not all(isinstance(part, Mapping) and part.get("type") == "text" for part in parts):
        raise _Unlike("it shows something that is no text, which a row cannot hold")
    return "".join(str(part.get("text", "")) for part in parts)


def _parted(text: str) -> tuple[str, list[dict[str, Any]]]:
    """A turn as what is said and what is called; a call that is none stays in the text."""
    calls = []
    for found in _CALLS.findall(text):
        try:
            call = json.loads(found)
        except (ValueError, RecursionError):
            return text, []
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            return text, []
        calls.append(call)
    return (_CALLS.sub("", text).strip(), calls) if calls else (text, [])


def _said(messages: Sequence[Message]) -> Said:
    return tuple((message.role, message.content) for message in messages)
