"""`--tools` of the command line: a language policy that may call functions of the user's files.

    --tools tools.py:add            --tools tools.py:add,search other.py:look_up
    --tools tools.py:search --turns 40 --window 4096 --summaries 8

The functions are named as rewards are. `policies.conversation.policy` holds conversations, `environments.tools` calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rlft.environments.tools import Tools
from rlft.options.calls import function_in
from rlft.policies.conversation.policy import Conversation, Window
from rlft.policies.language.policy import Language
from rlft.types import UserError


def talking(
    policy: Language, tools: Sequence[str], turns: int, seconds: float, window: int | None, summaries: int
) -> Language | Conversation:
    """The policy with these tools, in a window of so many tokens, or itself if there are no tools."""
    if not tools:
        if window or summaries:
            raise UserError("--window and --summaries are for conversations: give --tools")
        return policy
    called = Tools([f for words in tools for f in _functions(words)], seconds=seconds)
    return Conversation(policy, called, turns, window=Window(window, summaries))


def _functions(words: str) -> list[Callable[..., Any]]:
    path, _, names = words.strip().rpartition(":")
    if not path.endswith(".py") or not names:
        raise UserError(f"--tools {words!r} is not file.py:function, or file.py:one,another")
    return [function_in(Path(path).expanduser(), name.strip()) for name in names.split(",")]
