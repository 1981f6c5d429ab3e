"""Between problems and token ids: prompts in, completions out, and where a stop string ends one. Knows no model."""

from __future__ import annotations

import ast
import bisect
import contextlib
import functools
import json
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from rlft.errors import say
from rlft.policies.language.tokens.scoring import context_of
from rlft.policies.perception.blind import Blind
from rlft.policies.perception.front import Front
from rlft.policies.perception.media import Encoded
from rlft.types import Problem, Text, UserError
from rlft.types.outputs import opened_tags

# How many tokens at the end of a prompt are looked at for tags that it has opened.
_TAGS = 24


def called(problem: Problem) -> str:
    """How messages speak of a problem."""
    return f"problem {problem.index} of {problem.task}/{problem.split}"


@dataclass(frozen=True)
class Prompting:
    """How problems become prompts, and what ends a completion besides the model's own end-of-sequence token.

    Args:
        system: a system prompt for chat messages that have none.
        chat: prompts that are plain text are a user's message, and go through the model's chat template.
        stop: strings that end a completion.
        chat_template_kwargs: what the chat template is told besides, as words: enable_thinking=False. A column of this
            name, with an object, says it for each problem.
        overlong: what happens to a prompt that does not fit with max_new_tokens into the model's context: refuse the
            data, drop the problem and count it, or cut the prompt on its left.
    """

    system: str | None = None
    chat: bool = False
    stop: Sequence[str] = ()
    chat_template_kwargs: Sequence[str] = ()
    overlong: Literal["refuse", "drop", "cut"] = "refuse"

    def __post_init__(self) -> None:
        if isinstance(self.stop, str) or "" in self.stop:
            raise UserError(f"stop={self.stop!r} is not a list of strings that are not empty")
        object.__setattr__(self, "stop", tuple(self.stop))
        object.__setattr__(self, "chat_template_kwargs", tuple(self.chat_template_kwargs))
        if self.overlong not in ("refuse", "drop", "cut"):
            raise UserError(f"overlong={self.overlong!r} is none of refuse, drop and cut")
        self.template  # noqa: B018 - what cannot be read is said at once

    @property
    def template(self) -> dict[str, Any]:
        """What the chat template is told, by name."""
        told = {}
        for word in self.chat_template_kwargs:
            name, sign, value = word.partition("=")
            if not sign or not name.isidentifier():
                raise UserError(f"chat_template_kwargs: {word!r} is not name=value, such as enable_thinking=False")
            told[name] = _literal(value)
        return told


def _literal(word: str) -> Any:
    """A word as what it says in Python or JSON; else the text itself."""
    for read in (ast.literal_eval, json.loads):
        with contextlib.suppress(ValueError, SyntaxError):
            return read(word)
    return word


class TooLong(UserError):
    """A prompt that does not fit."""


class Codec:
    """A tokenizer as the policy uses it, that of `front`, or one alone.

    A `str` prompt is encoded as it is, with the special tokens the tokenizer puts before a text (BOS, if it does not
    begin with one); chat messages go through the chat template, up to where the assistant speaks, or to the end of what
    it has said already. `tools` are the schemas of functions that the chat template tells the model of.
    """

    def __init__(
        self, front: Front | Blind | Any, prompting: Prompting = Prompting(), tools: Sequence[Mapping[str, Any]] = ()
    ):
        self.front: Front | Blind = front if isinstance(front, Front | Blind) else Blind(front)
        self.tokenizer, self.prompting, self.stop = self.front.tokenizer, prompting, tuple(prompting.stop)
        self.tools = [dict(tool) for tool in tools]

    def plain(self, problem: Problem) -> bool:
        """Whether the prompt is text to be continued as it stands, and no message of a chat."""
        return isinstance(problem.input, str) and not self.prompting.chat

    def encode(self, problem: Problem) -> list[int]:
        """The prompt's tokens; UserError if there are none or the tokenizer does not know the text."""
        if isinstance(problem.input, Encoded):
            return list(problem.input)
        written, special = self._written(problem)
        tokens = self.tokens(problem, self.front.expanded(problem, written), special)
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

    def placed(self, text: Text, characters: Sequence[int]) -> list[int]:
        """How many tokens of a completion were drawn before each of these characters of it; see `types.Writing`."""

        def shown(count: int) -> int:
            return len(self.decoded(text.tokens[:count], True))

        every = range(len(text.tokens) + 1)
        # the last number of tokens that shows no more than what stands before the character
        return [max(bisect.bisect_right(every, place, key=shown) - 1, 0) if place else 0 for place in characters]

    def opened(self, prompt: Sequence[int]) -> str:
        """The tags that a prompt ends with as the model reads it; one that begins a text is none."""
        last = list(prompt[-_TAGS:])
        while last and last[-1] == self.tokenizer.bos_token_id:
            last.pop()
        return opened_tags(self.decoded(last, False)) if last else ""

    def _cut(self, text: str) -> str:
        return text[: min((text.index(word) for word in self.stop if word in text), default=len(text))]

    @functools.cached_property
    def _bytes(self) -> frozenset[int]:
        """The tokens that are single bytes, which such tokenizers write as <0x0A>."""
        held = self.tokenizer.convert_tokens_to_ids([f"<0x{byte:02X}>" for byte in range(256)])
        return frozenset(i for i in held if i is not None and i != self.tokenizer.unk_token_id)

    @functools.cached_property
    def _special(self) -> frozenset[int]:
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        return frozenset(self.tokenizer.all_special_ids) | {i for i, token in added.items() if token.special}

    def stopped(self, tokens: Sequence[int]) -> int | None:
        """How many tokens it takes until the decoded text, with or without special tokens, holds a stop string."""
        if not self.stop:
            return None
        # Text only grows with its tokens, so holding a stop string is a step function of their number; but for bytes:
        # those that follow one another are read together, and a later one may take a character of theirs back.
        within = [n for n in range(1, len(tokens)) if tokens[n - 1] in self._bytes and tokens[n] in self._bytes]
        if not self._holds(tokens) and not within:
            return None
        settled = sorted(set(range(len(tokens) + 1)).difference(within))
        place = bisect.bisect_left(settled, True, key=lambda count: self._holds(tokens[:count]))
        first = settled[place] if place < len(settled) else None
        early = (n for n in within if (first is None or n < first) and self._holds(tokens[:n]))
        return next(early, first)

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
        held = [self.stopped([*begun[i], *row]) is not None for i, row in pairs]
        return torch.tensor(held, device=tokens.device)

    def over(self, tokens: Sequence[int], ends: Sequence[int]) -> bool:
        """Whether a row of these tokens has ended."""
        return not set(ends).isdisjoint(tokens) or self.stopped(tokens) is not None

    def _holds(self, tokens: Sequence[int]) -> bool:
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
            begins = self.tokenizer.bos_token
            return self.front.before(problem, problem.input), not (begins and problem.input.startswith(begins))
        messages = self.front.placed(problem, self._messages(problem))
        if self.template is None:
            raise UserError(
                f"{called(problem)} is chat messages, and the tokenizer has no chat template; "
                "give a chat model, or a prompt as one string"
            )
        told = {**self.told(problem), **({"tools": self.tools} if self.tools else {})}
        # What the assistant has begun to say it goes on with.
        begun = messages[-1]["role"] == "assistant" and bool(messages[-1]["content"])
        if messages[-1]["role"] == "assistant" and not begun:
            messages = messages[:-1]
        goes_on = {"continue_final_message": True} if begun else {"add_generation_prompt": True}
        try:
            if self.front.processor is not self.tokenizer:
                told["chat_template"] = self.template
            return self.tokenizer.apply_chat_template(messages, tokenize=False, **goes_on, **told), False
        # Templates raise what they like, jinja's errors or the tokenizer's.
        except Exception as error:
            roles = ", ".join(str(message["role"]) for message in messages)
            hint = "; put the system prompt into the user's message" if messages[0]["role"] == "system" else ""
            raise UserError(
                f"{called(problem)}: the model's chat template refuses messages of {roles}: {error}{hint}"
            ) from error

    @property
    def template(self) -> Any:
        """The chat template, the processor's if it has one; None where there is none."""
        own = getattr(self.front.processor, "chat_template", None)
        return getattr(self.tokenizer, "chat_template", None) if own is None else own

    def told(self, problem: Problem) -> dict[str, Any]:
        """What the chat template is told besides: for all problems, and over it for this one."""
        own = problem.columns.get("chat_template_kwargs")
        return {**self.prompting.template, **(own if isinstance(own, Mapping) else {})}

    def _messages(self, problem: Problem) -> list[dict[str, Any]]:
        messages = problem.input
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        well_formed = (
            isinstance(messages, Sequence)
            and bool(messages)
            and all(isinstance(message, dict) and "role" in message and "content" in message for message in messages)
        )
        if not well_formed:
            raise UserError(
                f"{called(problem)}: a language prompt is a string or chat messages "
                f'(a list of {{"role": …, "content": …}}), not {messages!r:.60}'
            )
        if self.prompting.system is None or messages[0]["role"] == "system":
            return list(messages)
        return [{"role": "system", "content": self.prompting.system}, *messages]

    def tokens(self, problem: Problem, text: str, special: bool) -> list[int]:
        """A text's token ids, `special` ones before it or not; UserError if the tokenizer does not know it."""
        try:
            tokens = list(self.tokenizer(text, add_special_tokens=special)["input_ids"])
        # The Rust tokenizers raise plain Exception, for a character that is not in the vocabulary for instance.
        except Exception as error:
            raise UserError(f"{called(problem)}: the tokenizer cannot encode {text!r:.60}: {error}") from error
        ends = self.tokenizer.eos_token
        if special and tokens and tokens[-1] == self.tokenizer.eos_token_id and not text.endswith(ends):
            tokens.pop()  # some tokenizers end every text; this one goes on
        return tokens


_HINTED: weakref.WeakSet[Any] = weakref.WeakSet()


def hint_of_chat(codec: Codec, problem: Problem) -> None:
    """A line on stderr, once, where a chat model is given text to be continued."""
    if codec.tokenizer in _HINTED or not codec.plain(problem):
        return
    if codec.template is not None:
        _HINTED.add(codec.tokenizer)
        said = "the model has a chat template, but the prompts are plain text and go around it"
        say(f"{said}; --chat (chat=True) makes each a user's message")


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


def cut(tokens: list[int], room: int, context: int | None, begins: int | None) -> list[int]:
    """The end of a prompt that fits with `room` more tokens; the token that begins a text stays before it."""
    spare = (context or len(tokens) + room) - room
    if len(tokens) <= spare or spare < 2:
        return tokens
    return [*tokens[:1], *tokens[1 - spare :]] if tokens[0] == begins else tokens[-spare:]


def fitting(codec: Codec, problem: Problem, room: int, config: Any) -> list[int]:
    """The prompt's tokens, cut where that is wanted; UserError if they do not fit with `room` more."""
    tokens = codec.encode(problem)
    if codec.prompting.overlong == "cut" and not codec.front.shows(problem):
        tokens = cut(tokens, room, context_of(config), codec.tokenizer.bos_token_id)
    check_room(problem, tokens, room, config)
    return tokens


def check_room(problem: Problem, tokens: Sequence[int], room: int, config: Any) -> None:
    """UserError for a prompt that does not fit, with `room` more tokens, in the context of this configuration."""
    context = context_of(config)
    if context and len(tokens) + room > context:
        whole = getattr(config.get_text_config(), "max_position_embeddings", context)
        why = f" (of {whole}: beyond it its rotary factors are others, and a row could not be scored as it was drawn)"
        raise TooLong(
            f"{called(problem)}: its prompt of {len(tokens)} tokens and {room} new ones do not fit in the model's "
            f"context of {context}{why if context != whole else ''}; shorten the prompt, lower max_new_tokens, or "
            "choose --overlong drop or cut"
        )
