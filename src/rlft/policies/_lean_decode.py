"""Going on token by token with a lean trunk: keys and values in storage allocated once, a slot for all rows at a time.

A `Decoder` as `_sampling` asks for. A prompt is read without padding and once for its group; its keys stand in front,
padded at the end where prompts differ in length, and each token of a row takes the next slot after the longest prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.policies._fused import widened
from rlft.policies._lean import Angles, Keys, Trunk
from rlft.policies._packed import Layout


class LeanDecoder:
    """Rows that are under way. `head` turns hidden states into logits."""

    share = 0.97

    def __init__(self, trunk: Trunk, head: Any):
        self.trunk, self.head = trunk, head

    def start(self, tokens: Int[Tensor, "P L"], lengths: Sequence[int], room: int) -> Float[Tensor, "P V"]:
        width = tokens.shape[1]
        device = tokens.device
        length = torch.tensor(lengths, device=device)
        none = torch.zeros(0, dtype=torch.long, device=device)
        layout = Layout(tokens, length, tokens[:0], none, none)
        keys: Keys = []
        hidden = self.trunk.hidden(layout, length.cumsum(0) - 1, keys=keys)
        self.used, self.slots, self.position = width, width + room, length
        self.angles = self.trunk.angles(torch.arange(self.slots, device=device))
        # [2, P, h, L, E] a layer; slots for what follows come with the first `keep`
        self.held = [torch.stack(pair) for pair in keys]
        self.seen = None
        if min(lengths) < width:
            place = torch.arange(self.slots, device=device)
            gap = (place >= length[:, None]) & (place < width)
            self.seen = torch.zeros(gap.shape, dtype=hidden.dtype, device=device).masked_fill_(gap, -math.inf)
        return self._logits(hidden)

    def keep(self, rows: Int[Tensor, "n"]) -> None:
        count = len(rows)
        moved = (rows != torch.arange(count, device=rows.device)).nonzero()[:, 0]
        roomy = self.held[0].shape[3] == self.slots and count <= self.held[0].shape[1]
        if roomy and bool((rows[moved] >= count).all()):
            # Only places of dropped rows are written, so the storage stays.
            for held in self.held:
                held[:, moved, :, : self.used] = held[:, rows[moved], :, : self.used]
            self.held = [held[:, :count] for held in self.held]
        else:
            self._copy(rows)
        self.position = self.position[rows]
        self.seen = None if self.seen is None else self.seen[rows]

    def _copy(self, rows: Int[Tensor, "n"]) -> None:
        for layer, old in enumerate(self.held):
            shape = (2, len(rows), old.shape[2], self.slots, old.shape[4])
            new = old.new_empty(shape)
            new[:, :, :, : self.used] = old[:, rows, :, : self.used]
            self.held[layer] = new

    def step(self, tokens: Int[Tensor, "n"]) -> Float[Tensor, "n V"]:
        trunk, slot = self.trunk, self.used
        self.used += 1
        angles = Angles(self.angles.cos[self.position], self.angles.sin[self.position])
        self.position = self.position + 1
        seen = None if self.seen is None else self.seen[:, None, None, : self.used]
        x = trunk.trunk.embed_tokens(tokens)
        for block, held in zip(trunk.blocks, self.held, strict=True):
            queries, held[0, :, :, slot], held[1, :, :, slot] = trunk.projected(block, x, angles)
            shown = held[:, :, :, : self.used]
            x = trunk.after(block, x, trunk.attended(queries, shown[0], shown[1], seen))
        return self._logits(trunk.normed(x))

    def _logits(self, hidden: Tensor) -> Tensor:
        return widened(self.head(hidden))
