"""Conversations while they go on: what has been said in a row, what of it is read, and turns' columns as rows'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool
from torch import Tensor

from rlft.types import Message, Problem, Rollouts, Text, UserError


@dataclass(frozen=True)
class Window:
    """The working context of a conversation, and what becomes of one that outgrows it (arXiv:2510.06727, Section 3).

    tokens     what may be read and written at once, prompt included; None is what the model's context has room for
    summaries  how often a row may go on from a summary of the policy's; with 0 it ends where the window is full
    asks       what the policy is told when it is to write one
    goes_on    what it is told behind one
    """

    tokens: int | None = None
    summaries: int = 0
    asks: str = "Sum up what you have found out so far and what is left to do. Only your summary will be kept."
    goes_on: str = "Go on from your summary."

    def __post_init__(self) -> None:
        if self.summaries < 0 or (self.tokens is not None and self.tokens < 1):
            raise UserError(f"a window has tokens and room for summaries; got {self.tokens} and {self.summaries}")

    @property
    def asking(self) -> Message:
        """The message that asks for a summary."""
        return Message("window", self.asks)

    @property
    def after(self) -> Message:
        """The message behind a summary."""
        return Message("window", self.goes_on)


@dataclass
class Talk:
    """A conversation as far as it has got: `tokens` follow the prompt, `own` are the policy's.

    later     where the row's later segments begin, and the context that each is read in instead of what was before
    summing   the turn that is being drawn is a summary
    unfinished  the row's limits ended it
    """

    problem: Problem
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    said: Text = field(default_factory=lambda: Text(""))
    truncated: bool = False
    later: list[tuple[int, list[int]]] = field(default_factory=list)
    summing: bool = False
    unfinished: bool = False

    def add(self, tokens: Sequence[int], messages: Sequence[Message]) -> None:
        """These messages, whose tokens are counted with the first of them."""
        counted = (replace(message, tokens=0 if i else len(tokens)) for i, message in enumerate(messages))
        self.tokens += tokens
        self.messages += counted

    def take_back(self) -> list[Message]:
        """Remove the last turn and what it answered, which is returned; of a segment's first turn nothing is."""
        place = next((i for i in reversed(range(len(self.messages) - 1)) if self.messages[i].own), None)
        if place is None or self.messages[place + 1].role == "window":
            return []
        answered, turn = self.messages[place + 1 : -1], self.messages[-1]
        del self.tokens[len(self.tokens) - sum(message.tokens for message in self.messages[place + 1 :]) :]
        del self.own[len(self.own) - turn.tokens :]
        del self.messages[place + 1 :]
        return answered

    def fold(self, between: Sequence[int], after: Message) -> None:
        """Go on from the summary that was said last: prompt, summary and what stands between it and the next turn."""
        summary = self.tokens[len(self.tokens) - self.messages[-1].tokens :]
        self.later.append((len(self.tokens), [*self.prompt, *summary, *between]))
        self.add([], [after])
        self.summing = self.truncated = False

    @property
    def read(self) -> list[int]:
        """The tokens that the next turn follows."""
        begin, context = self.later[-1] if self.later else (0, self.prompt)
        return context + self.tokens[begin:]

    @property
    def heard(self) -> list[Message]:
        """What was said to who answers, and what they said."""
        return [message for message in self.messages if not message.aside]

    @property
    def summaries(self) -> int:
        """Summaries that were written or are being."""
        return len(self.later) + self.summing

    @property
    def decided(self) -> list[int]:
        """1 for each token of the policy's own, 0 for the others."""
        return [int(message.own) for message in self.messages for _ in range(message.tokens)]

    @property
    def summed(self) -> list[int]:
        """1 for each token of a summary, 0 for the others."""
        return [int(message.role == "summary") for message in self.messages for _ in range(message.tokens)]

    @property
    def turns(self) -> list[int]:
        """The turn of each token; an answer's belong to the turn that was answered."""
        turns, turn = [], -1
        for message in self.messages:
            turn += message.own
            turns += [turn] * message.tokens
        return turns


@dataclass(frozen=True)
class Spoken:
    """Turns that were drawn together: for which rows, and from which column of theirs on."""

    rows: list[int]
    starts: list[int]
    drawn: Rollouts


def columns(spoken: Sequence[Spoken], decided: Bool[Tensor, "N D"]) -> dict[str, Tensor]:
    """mask, logp and, where something was cut, support of whole rows, from those of their turns.

    They are 0 off what was `decided`: a turn that was taken back is none of it, and what stands there was drawn later.
    """
    whole: dict[str, Tensor] = {}
    for turn in spoken:
        drawn = turn.drawn
        own = torch.tensor([len(text.tokens) for text in drawn.outputs], device=decided.device)
        row, place = (torch.arange(drawn.mask.shape[1], device=decided.device) < own[:, None]).nonzero(as_tuple=True)
        column = torch.tensor(turn.starts, device=decided.device)[row] + place
        row, place, column = (part[column < decided.shape[1]] for part in (row, place, column))
        at = torch.tensor(turn.rows, device=decided.device)[row], column
        parts = {"mask": drawn.mask, "logp": drawn.logp_old, "support": drawn.trace.get("support")}
        for name, part in parts.items():
            if part is not None:
                blank = part.new_zeros(*decided.shape, *part.shape[2:])
                whole.setdefault(name, blank).index_put_(at, part[row, place])
    return {name: part * decided.view(*decided.shape, *[1] * (part.ndim - 2)) for name, part in whole.items()}
