"""Conversations while they go on: what has been said in a row, and the columns of turns as columns of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from rlft.types import Message, Problem, Rollouts, Text


@dataclass
class Row:
    """A conversation as far as it has got: `tokens` follow the prompt, `own` are the policy's."""

    problem: Problem
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    said: Text = field(default_factory=lambda: Text(""))
    truncated: bool = False

    def add(self, tokens: Sequence[int], messages: Sequence[Message]) -> None:
        """These messages, whose tokens are counted with the first of them."""
        counted = (replace(message, tokens=0 if i else len(tokens)) for i, message in enumerate(messages))
        self.tokens += tokens
        self.messages += counted

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


def columns(spoken: Sequence[Spoken], count: int, width: int, device: torch.device) -> dict[str, Tensor]:
    """mask, logp and, where something was cut, support of whole rows, from those of their turns."""
    whole: dict[str, Tensor] = {}
    for turn in spoken:
        drawn = turn.drawn
        own = torch.tensor([len(text.tokens) for text in drawn.outputs], device=device)
        row, place = (torch.arange(drawn.mask.shape[1], device=device) < own[:, None]).nonzero(as_tuple=True)
        start = torch.tensor(turn.starts, device=device)[row]
        at = torch.tensor(turn.rows, device=device)[row], start + place
        parts = {"mask": drawn.mask, "logp": drawn.logp_old, "support": drawn.trace.get("support")}
        for name, part in parts.items():
            if part is not None:
                blank = part.new_zeros(count, width, *part.shape[2:])
                whole.setdefault(name, blank).index_put_(at, part[row, place])
    return whole
