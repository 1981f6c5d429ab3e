"""Between problems and token ids: prompts in, completions out, and where a stop string ends one. Knows no model."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from rlft.types import Problem, Text, UserError
from rlft.types.outputs import opened_tags

# How many tokens at the end of a prompt are looked at for tags that it has opened.
_TAGS = 24


def called(problem: Problem) -> str:
    """How messages speak of a problem."""
    return f"problem {problem.index} of {problem.task}/{problem.split}"


class Encoded(tuple[int, ...]):
    """A prompt that is token ids already, and is read as it is: what a policy drew is never tokenised again."""


@dataclass(frozen=True)
class Prompting:
    """How problems become prompts, and what ends a completion besides the model's own end-of-sequence token.

    Args:
        system: a system prompt for chat messages that have none.
        chat: prompts that are plain text are a user's message, and go through the model's chat template.
        stop: strings that end a completion.
    """

    system: str | None = None
    chat: bool = False
    stop: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.stop, str) or "" in self.stop:
            raise UserError(f"stop={self.stop!r} is not a list of strings that are not empty")
        object.__setattr__(self, "stop", tuple(self.stop))


class Codec:
    """A tokenizer as the policy uses it.

    A `str` prompt is encoded as it is, with the special tokens the tokenizer puts around a text (BOS); chat messages
    go through the chat template, up to where the assistant speaks. `tools` are the schemas of functions that the chat
    template tells the model of.
    """

    def __init__(self, tokenizer: Any, prompting: Prompting = Prompting(), tools: Sequence[Mapping[str, Any]] = ()):
        self.tokenizer, self.prompting, self.stop = tokenizer, prompting, tuple(prompting.stop)
        self.tools = [dict(tool) for tool in tools]

    def plain(self, problem: Problem) -> bool:
        """Whether the prompt is text to be continued as it stands, and no message of a chat."""
        return isinstance(problem.input, str) and not self.prompting.chat

    def encode(self, problem: Problem) -> list[int]:
        """The prompt's tokens; UserError if there are none or the tokenizer does not know the text."""
        if isinstance(problem.input, Encoded):
            return list(problem.input)
        tokens = self.tokens(problem, *self._written(problem))
        if not tokens:
            raise UserError(
                f"{called(problem)}: its prompt {problem.input!r:.60} becomes no token at all with "
                f"{type(self.tokenizer).__name__}; give a prompt, or the tokenizer that belongs to the model"
            )
        return tokens

    def lesson(self, problem: Problem) -> list[int]:
        """The tokens of what the problem has to imitate as they follow its prompt.

        Prompt and lesson are encoded together where that leaves the prompt's tokens as they were (a tokenizer that
        opens every text with a space would put one between them otherwise), else the lesson alone.
        """
        if problem.lesson is None:
            raise UserError(f"{called(problem)} has no answer to demonstrate")
        written, special = self._written(problem)
        lesson = str(problem.lesson)
        prompt = self.tokens(problem, written, special)
        both = self.tokens(problem, written + lesson, special)
        if both[: len(prompt)] == prompt:
            return both[len(prompt) :]
        return self.tokens(problem, lesson, False)

    def text(self, tokens: Sequence[int], truncated: bool, opened: str = "") -> Text:
        """The completion as people read it: no special tokens, nothing from a stop string on.

        `opened` is what the prompt has opened, see `Text`, whose `raw` has special tokens but for what ended the row.
        """
        shown, raw = self.decoded(tokens, True), None
        if not self._special.isdisjoint(tokens):
            raw = self.decoded(tokens, False)
            if not truncated and tokens[-1] in self._special and not any(word in raw for word in self.stop):
                raw = self.decoded(tokens[:-1], False)
            raw = self._cut(raw)
        return Text(self._cut(shown), tokens, truncated, raw, opened)

    def opened(self, prompt: Sequence[int]) -> str:
        """The tags that a prompt ends with as the model reads it; one that begins a text is none."""
        last = list(prompt[-_TAGS:])
        while last and last[-1] == self.tokenizer.bos_token_id:
            last.pop()
        return opened_tags(self.decoded(last, False)) if last else ""

    def _cut(self, text: str) -> str:
        return text[: min((text.index(word) for word in self.stop if word in text), default=len(text))]

    @functools.cached_property
    def _special(self) -> frozenset[int]:
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        return frozenset(self.tokenizer.all_special_ids) | {i for i, token in added.items() if token.special}

    def stopped(self, tokens: Sequence[int]) -> int | None:
        """How many tokens it takes until the decoded text, with or without special tokens, holds a stop string."""
        if not self._holds(tokens):
            return None
        # Text only grows with its tokens, so holding a stop string is a step function of their number.
        return bisect.bisect_left(range(len(tokens)), True, key=lambda count: self._holds(tokens[:count]))

    def lengths(self, tokens: Int[Tensor, "N D"], ends: Int[Tensor, "E"]) -> tuple[list[int], list[bool]]:
        """How many tokens of each row are its own, the one that ended it included, and whether none did."""
        ending = torch.isin(tokens, ends)
        ended = ending.any(1)
        own = torch.where(ended, ending.int().argmax(1) + 1, tokens.shape[1]).tolist()
        truncated = (~ended).tolist()
        for i, row in enumerate(tokens.tolist() if self.stop else ()):
            count = self.stopped(row[: own[i]])
            if count is not None:
                own[i], truncated[i] = count, False
        return own, truncated

    def any_stopped(self, begun: Sequence[Sequence[int]], rows: Int[Tensor, "n"], tokens: Int[Tensor, "n t"]) -> Tensor:
        """[n] Which of these rows hold a stop string; row i had begun with `begun[i]`."""
        pairs = zip(rows.tolist(), tokens.tolist(), strict=True)
        return torch.tensor([self._holds([*begun[i], *row]) for i, row in pairs], device=tokens.device)

    def over(self, tokens: Sequence[int], ends: Sequence[int]) -> bool:
        """Whether a row of these tokens has ended."""
        return not set(ends).isdisjoint(tokens) or self._holds(tokens)

    def _holds(self, tokens: Sequence[int]) -> bool:
        if not self.stop:
            return False
        texts = [self.decoded(tokens, skip) for skip in (True, False)]
        return any(word in text for word in self.stop for text in texts)

    def decoded(self, tokens: Sequence[int], skip_special: bool) -> str:
        """The tokens' text, with special tokens or without."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=skip_special, clean_up_tokenization_spaces=False)

    def _written(self, problem: Problem) -> tuple[str, bool]:
        """The prompt as one string, and whether the tokenizer adds its special tokens to it."""
        if self.plain(problem):
            if self.prompting.system is not None:
                raise UserError(f"{called(problem)} is plain text; a system prompt needs chat messages, or --chat")
            return problem.input, True
        messages = self._messages(problem)
        if getattr(self.tokenizer, "chat_template", None) is None:
            raise UserError(
                f"{called(problem)} is chat messages, and the tokenizer has no chat template; "
                "give a chat model, or a prompt as one string"
            )
        told = {"tools": self.tools} if self.tools else {}
        written = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **told)
        return written, False

    def _messages(self, problem: Problem) -> list[dict[str, Any]]:
        messages = problem.input
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        well_formed = isinstance(messages, Sequence) and all(
            isinstance(message, dict) and "role" in message and "content" in message for message in messages
        )
        if not well_formed:
            raise UserError(
                f"{called(problem)}: a language prompt is a string or chat messages "
                f'(a list of {{"role": …, "content": …}}), not {messages!r:.60}'
            )
        opens = messages[0]["role"] if messages else None
        if self.prompting.system is None or opens == "system":
            return list(messages)
        return [{"role": "system", "content": self.prompting.system}, *messages]

    def tokens(self, problem: Problem, text: str, special: bool) -> list[int]:
        """A text's token ids, `special` ones around it or not; UserError if the tokenizer does not know it."""
        try:
            return list(self.tokenizer(text, add_special_tokens=special)["input_ids"])
        # The Rust tokenizers raise plain Exception, for a character that is not in the vocabulary for instance.
        except Exception as error:
            raise UserError(f"{called(problem)}: the tokenizer cannot encode {text!r:.60}: {error}") from error


def padded(rows: Sequence[Sequence[int]], device: torch.device | str) -> Int[Tensor, "n L"]:
    """Token lists as one tensor, padded at the end with zeros."""
    width = max(map(len, rows), default=0)
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], dtype=torch.long, device=device)


def check_known(problem: Problem, tokens: Sequence[int], known: int) -> None:
    """UserError for a token that the model has no embedding of."""
    if max(tokens) >= known:
        raise UserError(
            f"{called(problem)}: its prompt has token {max(tokens)}, and the model knows {known}; "
            "the tokenizer does not belong to the model"
        )


def check_room(problem: Problem, tokens: Sequence[int], room: int, config: Any) -> None:
    """UserError for a prompt that does not fit, with `room` more tokens, in the context of this configuration."""
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    if context and len(tokens) + room > context:
        raise UserError(
            f"{called(problem)}: its prompt of {len(tokens)} tokens and {room} new ones do not fit in the model's "
            f"context of {context}; shorten the prompt or lower max_new_tokens"
        )
