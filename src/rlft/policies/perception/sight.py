"""What the decoder is given for what was shown: embeddings, positions and kinds of a batch of rows. Knows no files.

A row is a prompt and what follows it. `Seen` is of a prompt, once for all rows that go on from it; `Sight` says of a
batch which row was shown what, and `Laid` is that as the tensors of one forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Seen(NamedTuple):
    """What a prompt of L tokens was shown, in k of its places.

    place       [k] the tokens that only stand for something seen, in ascending order
    embedding   [k H] what is embedded in their place
    layers      each [k H], added to the hidden states of these places after the first layers
    position    [3 L] where the rotary positions are not those of a text, else None
    length      L
    """

    place: Int[Tensor, "k"]
    embedding: Float[Tensor, "k H"]
    layers: tuple[Float[Tensor, "k H"], ...]
    position: Int[Tensor, "3 L"] | None
    length: int

    @property
    def ahead(self) -> int:
        """How far the position of a token behind the prompt is from its number: a picture takes fewer or more."""
        return 0 if self.position is None else int(self.position.max()) + 1 - self.length


class Laid(NamedTuple):
    """n rows of S tokens, padded on either side.

    shown   [n S] the places of what was seen
    behind  [n S] the places behind the prompt
    layers  each [K H], for the K places of `shown`, row by row
    """

    embedded: Float[Tensor, "n S H"]
    position: Int[Tensor, "*r n S"]
    shown: Bool[Tensor, "n S"]
    behind: Bool[Tensor, "n S"]
    layers: tuple[Float[Tensor, "K H"], ...]


@runtime_checkable
class Reads(Protocol):
    """How a model's trunk reads what is laid out for it."""

    def states(self, model: Any, laid: Laid, mask: Tensor | None, cache: Any) -> Float[Tensor, "n S H"]:
        """What the head sees at every place; `mask` [n S] is 1 where no padding is, and None where there is none."""
        ...


class Sight:
    """Which of n rows was shown what.

    reads   how the trunk takes it
    each    what there is to see
    owner   [n] which of it each row was shown
    """

    def __init__(self, reads: Reads, each: Sequence[Seen], owner: Int[Tensor, "n"]):
        self.reads, self.each, self.owner = reads, each, owner

    def of(self, rows: Int[Tensor, "m"]) -> Sight:
        """These rows, in this order."""
        return Sight(self.reads, self.each, self.owner[rows])

    @property
    def ahead(self) -> Int[Tensor, "n"]:
        """Of each row, see `Seen.ahead`."""
        return torch.tensor([seen.ahead for seen in self.each], device=self.owner.device)[self.owner]

    def laid(self, embed: Any, tokens: Int[Tensor, "n S"], start: Int[Tensor, "n"]) -> Laid:
        """Rows of these tokens, of which the first stand `start` places from the left; `embed` are the embeddings."""
        width = tokens.shape[1]
        index = (torch.arange(width, device=tokens.device) - start[:, None]).clamp(min=0)
        row, place = self.places()
        column = place + start[row]
        shown = torch.zeros_like(tokens, dtype=torch.bool).index_put((row, column), row.new_ones((), dtype=torch.bool))
        embedded = embed(tokens)
        if len(row):
            embedded = embedded.index_put((row, column), self.embedded().to(embedded.dtype))
        length = torch.tensor([seen.length for seen in self.each], device=tokens.device)[self.owner]
        behind = torch.arange(width, device=tokens.device) - start[:, None] >= length[:, None]
        return Laid(embedded, self.positions(index), shown, behind, self.layers())

    def places(self) -> tuple[Int[Tensor, "K"], Int[Tensor, "K"]]:
        """Row and place of everything that was seen, row by row."""
        counts = torch.tensor([len(seen.place) for seen in self.each], device=self.owner.device)[self.owner]
        row = torch.arange(len(self.owner), device=self.owner.device).repeat_interleave(counts)
        places = [self.each[i].place for i in self.owner.tolist()]
        return row, torch.cat(places) if places else row

    def positions(self, index: Int[Tensor, "n S"]) -> Int[Tensor, "*r n S"]:
        """The rotary positions of each row's tokens by their number: [n S], or [3 n S] where a row has three of them.

        Behind a prompt they go on by one from the largest in it.
        """
        if all(seen.position is None for seen in self.each):
            return index
        placed = index.new_empty(3, *index.shape)
        for i, seen in enumerate(self.each):
            mine = self.owner == i
            placed[:, mine] = _three(seen, index[mine])
        return placed

    def embedded(self) -> Float[Tensor, "K H"]:
        """What is embedded in these places."""
        return torch.cat([self.each[i].embedding for i in self.owner.tolist()])

    def layers(self) -> tuple[Float[Tensor, "K H"], ...]:
        """What is added in these places after the first layers, zeros for what adds nothing there."""
        count = max((len(seen.layers) for seen in self.each), default=0)
        each = [seen.layers or (torch.zeros_like(seen.embedding),) * count for seen in self.each]
        return tuple(torch.cat([each[i][level] for i in self.owner.tolist()]) for level in range(count))


def _three(seen: Seen, index: Int[Tensor, "m S"]) -> Int[Tensor, "3 m S"]:
    if seen.position is None:
        return index.expand(3, *index.shape)
    within = seen.position[:, index.clamp(max=seen.length - 1)]
    return torch.where(index < seen.length, within, index + seen.ahead)
