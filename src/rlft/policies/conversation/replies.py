"""How what answers a policy is written into its row: by the chat template, or between tags. Draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rlft.environments.dialogue import ANSWER, CALL
from rlft.policies.language.text import Codec, called
from rlft.types import Message, Problem, UserError

# A text that no template has of its own.
_SAID = "⟦said⟧"


def reply(codec: Codec, problem: Problem, messages: Sequence[Message], last: str) -> list[int]:
    """The tokens between two turns of the policy; `last` is the text of the token that ended the first.

    Of chat messages they are what the chat template puts between a message of the assistant's and its next, without
    what has been drawn of it. After a plain text a tool's answer stands between <tool_response> tags on lines of their
    own, and any other message on a line of its own. A character of theirs that the tokenizer does not know is left out,
    and what would end a turn or begin another loses its first character: who answers cannot speak for anybody else.
    """
    for message in messages:
        if not isinstance(message.content, str):
            raise UserError(
                f"{called(problem)}: a {message.role} answered with a {type(message.content).__name__}; what answers "
                "in a later turn is text, and pictures and sounds are shown in the problem's own messages"
            )
    try:
        return _encoded(codec, problem, messages, last)
    except UserError:  # most tokenizers can encode everything, so what they cannot is looked for only then
        known = [replace(message, content=_known_of(codec, problem, message.content)) for message in messages]
        return _encoded(codec, problem, known, last)


def _encoded(codec: Codec, problem: Problem, messages: Sequence[Message], last: str) -> list[int]:
    harmless = [replace(message, content=_harmless(codec, message.content)) for message in messages]
    if codec.plain(problem):
        return codec.tokens(problem, "".join(map(_line, harmless)), False)
    return codec.tokens(problem, _between(codec, problem, harmless).removeprefix(last), False)


def _line(message: Message) -> str:
    if message.role == "tool":
        return f"\n{ANSWER[0]}\n{message.content}\n{ANSWER[1]}\n"
    return f"\n{message.content}\n"


def _between(codec: Codec, problem: Problem, messages: Sequence[Message]) -> str:
    """What the template writes after the assistant's message, up to where it speaks again."""
    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _SAID}]
    # No template knows a window: to the model it is the user who asks.
    roles = ["user" if message.role == "window" else message.role for message in messages]
    answers = [{"role": role, "content": message.content} for role, message in zip(roles, messages, strict=True)]
    try:
        told = {"tokenize": False, "add_generation_prompt": True, **codec.told(problem)}
        written = codec.tokenizer.apply_chat_template([*said, *answers], **told)
    # Templates raise what they like, jinja's errors or the tokenizer's.
    except Exception as error:
        raise UserError(
            f"{called(problem)}: the chat template cannot write a message of the {messages[0].role}: {error}"
        ) from error
    _, found, between = written.partition(_SAID)
    if not found:
        raise UserError(f"{called(problem)}: the chat template drops what the assistant said before an answer")
    return between


def _harmless(codec: Codec, text: str) -> str:
    """The text without control."""
    special = {*codec.tokenizer.all_special_tokens, *map(str, codec.tokenizer.added_tokens_decoder.values())}
    control = [word for word in (*ANSWER, *CALL, *special) if len(word) > 1]
    while any(word in text for word in control):  # what is left of one may stand where another is made
        for word in control:
            text = text.replace(word, word[1:])
    return text


def _known_of(codec: Codec, problem: Problem, text: str) -> str:
    """The characters that the tokenizer can encode."""
    return "".join(character for character in text if _known(codec, problem, character))


def _known(codec: Codec, problem: Problem, text: str) -> bool:
    try:
        codec.tokens(problem, text, False)
    except UserError:
        return False
    return True
