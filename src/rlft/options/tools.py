"""`--tools` of the command line: a language policy that may call functions of the user's files.

    --tools tools.py:add            --tools tools.py:add,search other.py:look_up
    --tools tools.py:search --turns 40 --window 4096 --summaries 8

The functions are named as rewards are. `policies.conversation.policy` holds conversations, `environments.tools` calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft.environments.tools import Tools
from rlft.options.calls import function_in
from rlft.policies.conversation.policy import Conversation, Window
from rlft.policies.language.policy import Language
from rlft.types import UserError


@dataclass(frozen=True)
class ToolUse:
    """Functions that a language model may call, and how long it may go on calling them.

    Args:
        tools: functions that the model may call, file.py:function or file.py:one,another; see the guide.
        turns: with tools, turns of the model at most, each of max_new_tokens.
        tool_seconds: with tools, how long one call may take.
        window: with tools, tokens that are read and written at once, at most; by default what the model has room for.
        summaries: with tools, how often a conversation that fills the window may go on from the model's own summary.
    """

    tools: tuple[str, ...] = ()
    turns: int = 8
    tool_seconds: float = 10.0
    window: int | None = None
    summaries: int = 0

    def given_to(self, policy: Language) -> Language | Conversation:
        """The policy with these tools, in a window of so many tokens, or itself if there are no tools."""
        if not self.tools:
            if self.window or self.summaries:
                raise UserError("--window and --summaries are for conversations: give --tools")
            return policy
        policy.used_with |= {**vars(self), "tools": tuple(map(_whole, self.tools))}
        called = Tools([f for words in self.tools for f in _functions(words)], seconds=self.tool_seconds)
        return Conversation(policy, called, self.turns, window=Window(self.window, self.summaries))


def _whole(words: str) -> str:
    """The same words with the file's whole path, for whoever is elsewhere."""
    path, _, names = words.strip().rpartition(":")
    return f"{Path(path).expanduser().resolve()}:{names}"


def _functions(words: str) -> list[Callable[..., Any]]:
    path, _, names = words.strip().rpartition(":")
    if not path.endswith(".py") or not names:
        raise UserError(f"--tools {words!r} is not file.py:function, or file.py:one,another")
    return [function_in(Path(path).expanduser(), name.strip()) for name in names.split(",")]
