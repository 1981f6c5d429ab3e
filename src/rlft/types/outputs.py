"""What the rows of a rollout are to rewards and people: texts, conversations, what several turns made. No tensor."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class Text(str):
    """A completion as rewards and people see it: a `str` that remembers the tokens it was drawn as.

    `tokens` are the policy's own token ids, stop token included; `truncated` says that the length limit ended the
    row and not the policy. `raw` is the text with the special tokens in it (`<think>` may be one), but for what ended
    the row, and `opened` the tags that the prompt ended with as the model read it, its template's included. Text is a
    view: a rollout is never tokenised again.
    """

    tokens: tuple[int, ...]
    truncated: bool
    raw: str
    opened: str

    def __new__(
        cls, text: str, tokens: Iterable[int] = (), truncated: bool = False, raw: str | None = None, opened: str = ""
    ) -> Text:
        self = super().__new__(cls, text)
        self.tokens = tuple(tokens)
        self.truncated = truncated
        self.raw, self.opened = str(text) if raw is None else raw, opened
        return self

    def __getnewargs__(self) -> tuple[str, tuple[int, ...], bool, str, str]:
        return str(self), self.tokens, self.truncated, self.raw, self.opened


def output_of(lesson: Any) -> Any:
    """What is to be imitated as the output that it would be: a text as `Text`, anything else as it is."""
    return Text(lesson) if isinstance(lesson, str) and not isinstance(lesson, Text) else lesson


def opened_tags(text: str) -> str:
    """The tags that a text ends with, `<think>` for instance."""
    found = re.search(r"(?:<[A-Za-z]\w*>\s*)+$", text)
    return found.group() if found else ""


class Turns(tuple[Any, ...]):
    """What the turns of one row made, in their order: a `tuple` that remembers where each of them ended.

    `ends` are the columns of their last decisions, so that a reward of one turn can be given to its own decisions.
    """

    ends: tuple[int, ...]

    def __new__(cls, outputs: Iterable[Any], ends: Iterable[int] = ()) -> Turns:
        self = super().__new__(cls, outputs)
        self.ends = tuple(ends)
        return self


@dataclass(frozen=True)
class Message:
    """One message of a conversation: the policy's own, whose role is `assistant` or `summary`, or one that answers it.

    `content` is its text; of the policy's own as it was drawn, tags and stop strings included. `tokens` says how many
    decisions of the row it took: an answer's are not the policy's, and several answers to one turn are counted with the
    first of them. `failed` marks an answer that only says what went wrong. A message of the `window` asks for a summary
    of what was said before it, or follows one. A `result` is what the conversation came to, and the last.
    """

    role: str
    content: str
    tokens: int = 0
    failed: bool = False

    @property
    def own(self) -> bool:
        """Whether the policy said it."""
        return self.role in ("assistant", "summary")

    @property
    def aside(self) -> bool:
        """Whether it is about the conversation's length and no part of it: a summary, or what asks for one."""
        return self.role in ("summary", "window")


class Transcript(Text):
    """A conversation as rewards and people see it: the policy's last words, which remember everything that was said.

    `tokens` are the policy's own, of all its turns; `truncated` says that a limit ended the conversation and not the
    policy or what it spoke to. `messages` begin with the policy's first turn. So a reward of completions judges the
    final answer, and one of conversations reads `messages`.
    """

    messages: tuple[Message, ...]

    def __new__(
        cls, text: str, tokens: Iterable[int] = (), truncated: bool = False, messages: Iterable[Message] = ()
    ) -> Transcript:
        self = str.__new__(cls, text)
        self.tokens, self.truncated, self.messages = tuple(tokens), truncated, tuple(messages)
        self.raw, self.opened = (text.raw, text.opened) if isinstance(text, Text) else (text, "")
        return self

    def __getnewargs__(self) -> tuple[Text, tuple[int, ...], bool, tuple[Message, ...]]:  # type: ignore[override]
        last = Text(str(self), raw=self.raw, opened=self.opened)
        return last, self.tokens, self.truncated, self.messages

    @property
    def ends(self) -> tuple[int, ...]:
        """The column of the last decision of each of the policy's turns, for rewards of single turns."""
        reached = itertools.accumulate(message.tokens for message in self.messages)
        return tuple(end - 1 for end, message in zip(reached, self.messages, strict=True) if message.own)

    @property
    def summaries(self) -> int:
        """How often the policy summed up what was said; its words lie in one more context than that."""
        return sum(message.role == "summary" for message in self.messages)
