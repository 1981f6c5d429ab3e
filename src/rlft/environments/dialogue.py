"""What answers a policy that writes: the protocol of environments of turns. Knows no tokens and no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from rlft.types import Message, Problem

# What a model writes around a call, and what it reads around an answer, where no chat template says otherwise.
CALL = ("<tool_call>", "</tool_call>")
ANSWER = ("<tool_response>", "</tool_response>")


@runtime_checkable
class Dialogue(Protocol):
    """The other side of a conversation: tools, a simulated user, a game. `environments.tools.Tools` is one.

    schemas   functions that a chat template is to tell the model of, as JSON schemas; none for other dialogues
    stop      strings that end a turn of the policy's in plain text, where no template marks its end
    """

    @property
    def schemas(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def stop(self) -> Sequence[str]: ...

    def respond(
        self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]
    ) -> Sequence[Sequence[Message]]:
        """The messages that answer each transcript, whose last message is the policy's; none end the conversation.

        An answer must depend on its own problem and transcript alone, whoever else is in the batch. Anything random in
        it is to be hashed from them (`rlft.noise.hashed`).
        """
        ...


@runtime_checkable
class Opening(Dialogue, Protocol):
    """A dialogue whose other side speaks first, and so words the prompt."""

    def opened(self, problems: Sequence[Problem]) -> Sequence[Problem]:
        """The problems with what the policy is to be asked as their input, which depends on each problem alone.

        Conversations that were opened before and are not over will not go on.
        """
        ...


@runtime_checkable
class Checking(Dialogue, Protocol):
    """A dialogue that can say of a problem, before anything is drawn, that it could not answer about it."""

    def check(self, problem: Problem) -> None:
        """`UserError` for a problem that lacks what the answers are made of."""
        ...
