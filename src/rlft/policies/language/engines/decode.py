"""Going on token by token with a lean trunk: a `Decoder` as `sampling` asks. What rows remember is in `cache`.

A prompt is read without padding and once for its group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.memory import large, spared
from rlft.policies.language.engines.cache import Cache, GrowingSlots, NewSlots
from rlft.policies.language.engines.few_rows import Copies, for_few_rows
from rlft.policies.language.engines.layers import direct
from rlft.policies.language.engines.trunk import Angles, Keys, Trunk
from rlft.policies.language.tokens.fused import widened
from rlft.policies.language.tokens.layout import Layout
from rlft.policies.perception.sight import Sight

_LAYERS = ("read", "out", "widen", "down")


class LeanDecoder:
    """Rows that are under way. `head` turns hidden states into logits."""

    share = 0.97

    def __init__(self, trunk: Trunk, head: Any, sight: Sight | None = None, new_slots: NewSlots = GrowingSlots):
        self.trunk, self.head, self.sight, self.new_slots = trunk, direct(head), sight, new_slots
        self.blocks, self.copies = trunk.blocks, Copies()

    def start(self, tokens: Int[Tensor, "P L"], lengths: Sequence[int], room: int) -> Float[Tensor, "P V"]:
        width, device = tokens.shape[1], tokens.device
        length = torch.tensor(lengths, device=device)
        none = torch.zeros(0, dtype=torch.long, device=device)
        # Prompts alone: what follows them is drawn token by token, with the same code that scores them.
        layout = Layout(tokens, length, tokens[:0], none, none, sight=self.sight)
        keys: Keys = []
        hidden = self.trunk.hidden(layout, length.cumsum(0) - 1, keys=keys)
        self.position, self.cache = length if self.sight is None else length + self.sight.ahead, None
        # All positions that may come, at once: a rotary module called at every step costs as much as a small product.
        self.angles = self.trunk.angles(torch.arange(int(self.position.max()) + room, device=device))
        gap = None
        if min(lengths) < width:
            behind = torch.arange(width, device=device) >= length[:, None, None]
            gap = torch.zeros(behind.shape, dtype=widened(hidden[:0]).dtype, device=device)
            gap = gap.masked_fill_(behind, -math.inf)
        self.read = [torch.stack(pair) for pair in keys], gap, room
        return self._logits(hidden)

    def keep(self, rows: Int[Tensor, "n"]) -> None:
        if self.cache is None:
            prompt, gap, room = self.read
            self.cache = Cache(prompt, gap, rows, room, self.new_slots)
            del self.read
            self._lay_out(len(rows), room)
        else:
            self.cache.keep(rows)
        self.position = self.position[rows]

    def step(self, tokens: Int[Tensor, "n"]) -> Float[Tensor, "n V"]:
        logits = self.after(tokens)
        self.advance()
        return logits

    def after(self, tokens: Int[Tensor, "n"]) -> Float[Tensor, "n V"]:
        """A step but for `advance`: done twice it changes nothing more."""
        trunk, cache = self.trunk, self.cache
        assert cache is not None, "keep() before the first step()"
        angles = Angles(self.angles.cos[self.position], self.angles.sin[self.position])
        x = trunk.trunk.embed_tokens(tokens)
        for layer, block in enumerate(self.blocks):
            queries, keys, values = trunk.projected(block, x, angles)
            # Before attention, since a token attends to itself.
            cache.slots.write(layer, keys, values)
            x = trunk.after(block, x, cache.attended(layer, queries * trunk.scaling))
        return self._logits(trunk.normed(x))

    def _lay_out(self, rows: int, steps: int) -> None:
        """The layers as so few rows want them: once, since rows only become fewer."""

        def few(layer: Any) -> Any:
            return for_few_rows(layer, rows, steps, self.copies)

        with spared(large(self.trunk.trunk.parameters())):
            self.head = few(self.head)
            self.blocks = [
                block._replace(**{name: few(getattr(block, name)) for name in _LAYERS}) for block in self.trunk.blocks
            ]

    def advance(self) -> None:
        """To the next position and slot."""
        assert self.cache is not None, "keep() before the first step()"
        self.position += 1
        self.cache.slots.advance()

    def _logits(self, hidden: Tensor) -> Tensor:
        return widened(self.head(hidden))
