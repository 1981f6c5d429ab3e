"""`--tools` and `--agent` of the command line: a language policy that may call functions of the user's files, or that a
program of the user's speaks to as to a served model.

    --tools tools.py:add            --tools tools.py:add,search other.py:look_up
    --tools tools.py:search --turns 40 --window 4096 --summaries 8
    --agent agent.py:solve --reward result

The functions are named as rewards are. `policies.conversation.policy` holds conversations, `environments.tools` calls,
`environments.agents` runs agents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft.environments.agents import Agents
from rlft.environments.dialogue import Dialogue
from rlft.environments.tools import Tools
from rlft.options.calls import function_in
from rlft.policies.conversation.policy import Conversation, Window
from rlft.policies.language.policy import Language
from rlft.types import UserError


@dataclass(frozen=True)
class ToolUse:
    """Functions that a language model may call, or an agent that asks it, and how long that may go on.

    Args:
        tools: functions that the model may call, file.py:function or file.py:one,another; see the guide.
        agent: a program that asks the model over the OpenAI protocol, file.py:function; see the guide.
        turns: with tools or an agent, turns of the model at most, each of max_new_tokens.
        tool_seconds: with tools, how long one call may take.
        agent_seconds: with an agent, how long it may take between two requests.
        window: with tools or an agent, tokens that are read and written at once, at most; by default what the model has
            room for.
        summaries: with tools or an agent, how often a conversation that fills the window may go on from the model's own
            summary.
    """

    tools: tuple[str, ...] = ()
    agent: str = ""
    turns: int = 8
    tool_seconds: float = 10.0
    agent_seconds: float = 600.0
    window: int | None = None
    summaries: int = 0

    def given_to(self, policy: Language) -> Language | Conversation:
        """The policy with these tools or this agent, in a window of so many tokens, or itself if there are none."""
        if not self.tools and not self.agent:
            if self.window or self.summaries:
                raise UserError("--window and --summaries are for conversations: give --tools or --agent")
            return policy
        if self.tools and self.agent:
            raise UserError("--tools are called by us and an agent calls its own: give --tools or --agent")
        policy.used_with |= {
            **vars(self),
            "tools": tuple(map(_whole, self.tools)),
            "agent": self.agent and _whole(self.agent),
        }
        return Conversation(policy, self._answering(), self.turns, window=Window(self.window, self.summaries))

    def _answering(self) -> Dialogue:
        if not self.agent:
            return Tools([f for words in self.tools for f in _functions(words)], seconds=self.tool_seconds)
        found = _functions(self.agent, "--agent")
        if len(found) > 1:
            raise UserError(f"--agent {self.agent!r} names {len(found)} functions; a row has one agent")
        return Agents(found[0], seconds=self.agent_seconds)


def _whole(words: str) -> str:
    """The same words with the file's whole path, for whoever is elsewhere."""
    path, _, names = words.strip().rpartition(":")
    return f"{Path(path).expanduser().resolve()}:{names}"


def _functions(words: str, option: str = "--tools") -> list[Callable[..., Any]]:
    path, _, names = words.strip().rpartition(":")
    if not path.endswith(".py") or not names:
        raise UserError(f"{option} {words!r} is not file.py:function, or file.py:one,another")
    return [function_in(Path(path).expanduser(), name.strip()) for name in names.split(",")]
