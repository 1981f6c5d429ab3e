"""`--tools` of the command line: a language policy that may call functions of the user's files.

    --tools tools.py:add            --tools tools.py:add,search other.py:look_up

The functions are named as rewards are; conversations are `policies.conversation`'s, calls `environments.tools`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rlft.environments.tools import Tools
from rlft.policies.conversation import Conversation
from rlft.policies.language import Language
from rlft.rewards.load import function_in
from rlft.types import UserError


def talking(policy: Language, tools: Sequence[str], turns: int, seconds: float) -> Language | Conversation:
    """The policy with these tools, or itself if there are none."""
    if not tools:
        return policy
    return Conversation(policy, Tools([f for words in tools for f in _functions(words)], seconds=seconds), turns)


def _functions(words: str) -> list[Callable[..., Any]]:
    path, _, names = words.strip().rpartition(":")
    if not path.endswith(".py") or not names:
        raise UserError(f"--tools {words!r} is not file.py:function, or file.py:one,another")
    return [function_in(Path(path).expanduser(), name.strip()) for name in names.split(",")]
