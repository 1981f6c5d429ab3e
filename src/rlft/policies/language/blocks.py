"""Causal models that read several tokens at once and forget those that turn out not to be the row's. Draws nothing.

Two ways: a cache, in which the places of forgotten tokens stay and are never looked at again (rows forget different
numbers of tokens, so the cache cannot be cut); and a full forward for every block, right for whatever is causal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.policies.language.engines.plain import _agree, attends_to_everything, own_cache
from rlft.policies.language.tokens.sampling import finite
from rlft.policies.language.tokens.scoring import Causal, known_to, widened


@runtime_checkable
class Reader(Protocol):
    """A model that has read some rows. Positions beyond a row's `room` are clamped: nothing kept stands there."""

    def start(self, tokens: Tensor, lengths: Sequence[int], room: int) -> Tensor:
        """Read right-padded prompts [P L]; the logits [P V] after each."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, in this order; a row may be named several times."""
        ...

    def read(self, tokens: Tensor) -> Tensor:
        """Read b more tokens in each row [n b]; the logits after each of them [n b V]."""
        ...

    def back(self, read: int, kept: Tensor) -> None:
        """Of the last `read` tokens, forget all but the first `kept[i]` of row i."""
        ...


class Cached:
    """Reads with a cache; for models all of whose layers attend to everything."""

    def __init__(self, model: Causal):
        self.model = model

    def start(self, tokens: Int[Tensor, "P L"], lengths: Sequence[int], room: int) -> Float[Tensor, "P V"]:
        count, width = tokens.shape
        size = torch.tensor(lengths, device=tokens.device)
        # Padded on the left, so that all rows write the same place.
        from_left = torch.arange(width, device=tokens.device) - (width - size)[:, None]
        self.cache, self.last = own_cache(self.model, width + room), size + room - 1
        self.seen = torch.zeros(count, 0, dtype=torch.bool, device=tokens.device)
        left = tokens.gather(1, from_left % width).where(from_left >= 0, 0)
        self.position = size
        return self._forward(left, from_left >= 0, from_left.clamp(min=0))[:, -1]

    def keep(self, rows: Int[Tensor, "n"]) -> None:
        self.cache.reorder_cache(rows)
        self.seen, self.position, self.last = self.seen[rows], self.position[rows], self.last[rows]

    def read(self, tokens: Int[Tensor, "n b"]) -> Float[Tensor, "n b V"]:
        position = self.position[:, None] + torch.arange(tokens.shape[1], device=tokens.device)
        self.position = self.position + tokens.shape[1]
        return self._forward(tokens, torch.ones_like(tokens, dtype=torch.bool), position.minimum(self.last[:, None]))

    def back(self, read: int, kept: Int[Tensor, "n"]) -> None:
        self.seen[:, -read:] = torch.arange(read, device=kept.device) < kept[:, None]
        self.position = self.position + kept - read

    def _forward(self, tokens: Tensor, own: Tensor, position: Tensor) -> Tensor:
        used, width = self.seen.shape[1], tokens.shape[1]
        self.seen = torch.cat([self.seen, own], dim=1)
        place = torch.arange(used + width, device=tokens.device)
        before = place <= used + torch.arange(width, device=tokens.device)[:, None]
        # A place of padding sees itself: a row of nothing but -inf would be no number.
        itself = place == used + torch.arange(width, device=tokens.device)[:, None]
        looked = (self.seen[:, None] & before) | itself
        dtype = self.model.get_input_embeddings().weight.dtype
        mask = torch.zeros(looked.shape, dtype=dtype, device=tokens.device)
        mask = mask.masked_fill(~looked, torch.finfo(dtype).min)[:, None]
        told = {"attention_mask": mask, "position_ids": position, "past_key_values": self.cache, "use_cache": True}
        return widened(self.model(input_ids=tokens, **told).logits)


class Rereads:
    """Reads every row from its beginning for every block."""

    def __init__(self, model: Causal):
        self.model = model

    def start(self, tokens: Int[Tensor, "P L"], lengths: Sequence[int], room: int) -> Float[Tensor, "P V"]:
        self.tokens, self.width = tokens, tokens.shape[1] + room
        self.length = torch.tensor(lengths, device=tokens.device)
        return self._forward(self.length[:, None] - 1)[:, 0]

    def keep(self, rows: Int[Tensor, "n"]) -> None:
        self.tokens, self.length = self.tokens[rows], self.length[rows]

    def read(self, tokens: Int[Tensor, "n b"]) -> Float[Tensor, "n b V"]:
        place = self.length[:, None] + torch.arange(tokens.shape[1], device=tokens.device)
        spare = int(place.max()) + 1 - self.tokens.shape[1]
        self.tokens = nn.functional.pad(self.tokens, (0, max(spare, 0))).scatter(1, place, tokens)
        self.length = self.length + tokens.shape[1]
        return self._forward(place)

    def back(self, read: int, kept: Int[Tensor, "n"]) -> None:
        self.length = self.length + kept - read

    def _forward(self, place: Tensor) -> Tensor:
        longest = min(int(place.max()) + 1, self.width)
        logits = widened(self.model(input_ids=self.tokens[:, :longest], use_cache=False).logits)
        return logits.gather(1, place.clamp(max=longest - 1)[..., None].expand(-1, -1, logits.shape[-1]))


def reading(model: Causal) -> Callable[[], Reader]:
    """The faster way, if it gives the logits of the slower on a few tokens, as `plain.Decoders` tries it."""
    device, known = next(model.parameters()).device, known_to(model)
    if not attends_to_everything(model):
        return partial(Rereads, model)
    words = torch.arange(14, device=device) % known
    expected = finite(_trial(Rereads(model), words))
    return partial(Cached if _agree(lambda: _trial(Cached(model), words), expected, model) else Rereads, model)


@torch.no_grad()
def _trial(reader: Reader, words: Tensor) -> Tensor:
    logits = [reader.start(torch.stack([words[:3], words[3:6]]), [3, 1], room=8)]
    reader.keep(torch.tensor([0, 1, 1], device=words.device))
    logits += reader.read(words[:9].view(3, 3)).unbind()
    reader.back(3, torch.tensor([1, 3, 2], device=words.device))
    return torch.cat([*logits, *reader.read(words[8:14].view(3, 2)).unbind()])
