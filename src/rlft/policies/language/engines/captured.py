"""Decoding steps of fixed shape, recorded once on a GPU and played again: no kernel is launched from Python.

A CUDA graph has fixed buffers and shapes. So a row attends to more slots than are written, those after its own hidden,
in stages of twice the number; and rows that have ended stay until half of them have. Each stage, and each dropping of
rows, is recorded anew, which costs about two ordinary steps.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.policies.language.engines.cache import moved
from rlft.policies.language.engines.decode import LeanDecoder
from rlft.policies.language.engines.trunk import Trunk
from rlft.policies.perception.sight import Sight

Step = Callable[[Tensor], Tensor]
# How many slots the first stage has.
_FIRST = 64


class FixedSlots:
    """`Slots` that show `reach` of them, whatever is written; which one is next stands in a tensor."""

    def __init__(self, prompt: list[Tensor], count: int, slots: int, used: int):
        # Zeros: a number that was never written must not be multiplied with, not even by a share of 0.
        self.held = [part.new_zeros(2, count, part.shape[2], slots, part.shape[4]) for part in prompt]
        self.used, self.slots, self.reach = used, slots, 0
        self.slot = torch.tensor([used], device=prompt[0].device)
        self.place = torch.arange(slots, device=prompt[0].device)

    def outgrown(self) -> bool:
        """Whether the current slot is past the stage; if so the next stage begins."""
        if self.used < self.reach:
            return False
        self.reach = min(self.slots, max(_FIRST, 2 ** self.used.bit_length()))
        return True

    def write(self, layer: int, keys: Float[Tensor, "n h E"], values: Float[Tensor, "n h E"]) -> None:
        for held, new in zip(self.held[layer], (keys, values), strict=True):
            held.index_copy_(2, self.slot, new[:, :, None])

    def shown(self, layer: int) -> tuple[Float[Tensor, "N s E"], Float[Tensor, "N s E"]]:
        keys, values = self.held[layer][:, :, :, : self.reach].flatten(1, 2)
        return keys, values

    def written(self, own: Float[Tensor, "N q s"]) -> Float[Tensor, "N q s"]:
        return own.masked_fill(self.place[: self.reach] > self.slot, -math.inf)

    def advance(self) -> None:
        self.used += 1
        self.slot += 1

    def keep(self, rows: Int[Tensor, "m"]) -> None:
        self.held = moved(self.held, rows, self.slots)


class Captured:
    """A `Decoder` whose steps are a `LeanDecoder`'s, recorded where there is a GPU and taken one by one elsewhere."""

    share = 0.5

    def __init__(self, trunk: Trunk, head: Any, sight: Sight | None = None):
        self.rows = LeanDecoder(trunk, head, sight, FixedSlots)
        self.play: Step | None = None

    def start(self, tokens: Int[Tensor, "P L"], lengths: Sequence[int], room: int) -> Float[Tensor, "P V"]:
        return self.rows.start(tokens, lengths, room)

    def keep(self, rows: Int[Tensor, "n"]) -> None:
        self.play = None
        self.rows.keep(rows)

    def step(self, tokens: Int[Tensor, "n"]) -> Float[Tensor, "n V"]:
        assert self.rows.cache is not None, "keep() before the first step()"
        slots = self.rows.cache.slots
        assert isinstance(slots, FixedSlots)
        if slots.outgrown() or self.play is None:
            self.play = None  # gives its memory back first
            self.play = recorded(self.rows.after, tokens)
        logits = self.play(tokens)
        self.rows.advance()
        return logits


def recorded(step: Step, tokens: Int[Tensor, "n"]) -> Step:
    """The step as a CUDA graph, whose answer the next one overwrites; the step itself on a CPU or if it cannot be."""
    if not tokens.is_cuda:
        return step
    given, graph, side = tokens.clone(), torch.cuda.CUDAGraph(), torch.cuda.Stream()
    try:
        # Libraries make their workspaces at a first call, which may not be recorded.
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            step(given)
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(graph):
            answer = step(given)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        warnings.warn(f"decoding is slower, as no CUDA graph can be made of its steps: {error}", stacklevel=2)
        return step

    def play(tokens: Tensor) -> Tensor:
        given.copy_(tokens)
        graph.replay()
        return answer

    return play
