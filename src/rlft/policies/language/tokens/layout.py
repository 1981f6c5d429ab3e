"""Rows of tokens without padding: prompts once, completions behind them, and where each stands. Knows no model."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd import Function

from rlft.policies.perception.sight import Sight


# Gathering has a scatter as its gradient, which torch does with atomics, slowly and in any order; here no two gaps
# share a token that counts, so the gradient is a plain gather too.
class _Spread(Function):
    @staticmethod
    def forward(ctx: Any, flat: Tensor, slots: Tensor, real: Tensor) -> Tensor:
        ctx.save_for_backward(real)
        return flat[slots]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (real,) = ctx.saved_tensors
        return grads[0].flatten(0, 1)[real], None, None


class _Packed(Function):
    @staticmethod
    def forward(ctx: Any, padded: Tensor, real: Tensor) -> Tensor:
        ctx.shape = padded.shape
        ctx.save_for_backward(real)
        return padded.flatten(0, 1)[real]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (real,) = ctx.saved_tensors
        grad = grads[0].new_zeros(ctx.shape)
        grad.flatten(0, 1).index_copy_(0, real, grads[0])
        return grad, None


class Ragged:
    """n sequences of up to w tokens as rows of one matrix, one behind the other, and as [n w] with gaps.

    What is spread holds a token of some row in its gaps, and nobody may look at it: no gradient comes from there.
    """

    def __init__(self, real: Bool[Tensor, "n w"]):
        self.real = real.flatten().nonzero()[:, 0]
        self.shape = real.shape
        self.count = len(self.real)
        # Without gaps both directions are views: equal lengths, the common case of a benchmark and of one prompt, cost
        # nothing.
        self.dense = self.count == real.numel()
        self.slots = (real.flatten().cumsum(0) - 1).clamp(min=0).view(real.shape)

    def spread(self, flat: Float[Tensor, "T *e"]) -> Float[Tensor, "n w *e"]:
        """A row's tokens side by side."""
        return flat.unflatten(0, self.shape) if self.dense else _Spread.apply(flat, self.slots, self.real)

    def pack(self, padded: Float[Tensor, "n w *e"]) -> Float[Tensor, "T *e"]:
        """The other way."""
        return padded.flatten(0, 1) if self.dense else _Packed.apply(padded, self.real)


def runs(
    prompt: Int[Tensor, "N L"], length: Int[Tensor, "N"], shown: Int[Tensor, "N"] | None = None
) -> Int[Tensor, "N"]:
    """The number of each row's prompt where equal ones that stand together are counted once.

    Of rows that were `shown` different things equal tokens are different prompts.
    """
    same = (prompt[1:] == prompt[:-1]).all(1) & (length[1:] == length[:-1])
    if shown is not None:
        same &= shown[1:] == shown[:-1]
    return torch.cat([length.new_zeros(min(len(length), 1)), (~same).cumsum(0)])


class Layout:
    """P prompts [P L] and N completions that follow them, as T tokens: all prompts, then all completions.

    length      [P] tokens of each prompt; what is behind them is padding
    owner       [N] the prompt of each completion, in ascending order
    reach       [N] how many tokens of each completion there are
    start       the position of a prompt's first token
    sight       what the prompts were shown, of those that were
    """

    def __init__(
        self,
        prompt: Int[Tensor, "P L"],
        length: Int[Tensor, "P"],
        completion: Int[Tensor, "N D"],
        owner: Int[Tensor, "N"],
        reach: Int[Tensor, "N"],
        start: int = 0,
        sight: Sight | None = None,
    ):
        place = torch.arange(prompt.shape[1], device=prompt.device)
        real = place < length[:, None]
        self.prefix, self.owner, self.length, self.sight = Ragged(real), owner, length, sight
        index = place.expand_as(real)
        at = index if sight is None else sight.positions(index)
        tokens, position = [prompt[real]], [at[..., real]]
        self.suffix = self.seen = None
        width = int(reach.max()) if len(reach) else 0
        if width:
            later = torch.arange(width, device=prompt.device)
            real = later < reach[:, None]
            self.suffix = Ragged(real)
            tokens.append(completion[:, :width][real])
            behind = length if sight is None else length + sight.ahead
            position.append((behind[owner, None] + later)[real].expand(*at.shape[:-2], -1))
            # Prompts without gaps look alike to all rows, and one mask of a row serves the batch.
            self.seen = self._seen(length if self.prefix.dense else length[owner])
        self.tokens, self.position = torch.cat(tokens), torch.cat(position, -1) + start
        counts = torch.bincount(owner, minlength=len(length))
        # Even groups let `owned` expand instead of copying the prompts' keys.
        self.even = len(owner) > 0 and bool((counts == counts[0]).all())

    def seen_in(self, embedded: Float[Tensor, "T H"]) -> Float[Tensor, "T H"]:
        """The tokens' embeddings with those of what was seen in their places."""
        if self.sight is None or not len(at := self._seen_at()):
            return embedded
        return embedded.index_put((at,), self.sight.embedded().to(embedded.dtype))

    def added_after(self, level: int, like: Float[Tensor, "T H"]) -> Float[Tensor, "T H"] | None:
        """What is added to the hidden states after layer `level`, where something is."""
        layers = () if self.sight is None else self.sight.layers()
        if level >= len(layers):
            return None
        return torch.zeros_like(like).index_put((self._seen_at(),), layers[level].to(like.dtype))

    def _seen_at(self) -> Int[Tensor, "K"]:
        assert self.sight is not None
        return self.prefix.slots[self.sight.places()]

    def owned(self, prompts: Float[Tensor, "P L *e"]) -> Float[Tensor, "N L *e"]:
        """Each completion's prompt."""
        if self.even:
            return prompts[:, None].expand(-1, len(self.owner) // len(prompts), *prompts.shape[1:]).flatten(0, 1)
        return prompts.index_select(0, self.owner)

    def before(self, row: Int[Tensor, "M"], place: Int[Tensor, "M"]) -> Int[Tensor, "M"]:
        """Which token stands before decision `place` of completion `row`."""
        last = self.length.cumsum(0) - 1
        if self.suffix is None:
            return last[self.owner[row]]
        behind = self.prefix.count + self.suffix.slots[row, (place - 1).clamp(min=0)]
        return torch.where(place == 0, last[self.owner[row]], behind)

    def _seen(self, length: Tensor) -> Bool[Tensor, "n 1 D S"]:
        """Which of its prompt's tokens and its own each token of a completion may look at; n is 1 if all may alike."""
        assert self.suffix is not None
        (_, wide), (_, times) = self.prefix.shape, self.suffix.shape
        own = torch.ones(times, times, dtype=torch.bool, device=length.device).tril()
        if self.prefix.dense:
            return torch.cat([own.new_ones(times, wide), own], 1)[None, None]
        prompt = torch.arange(wide, device=length.device) < length[:, None]
        count = len(length)
        return torch.cat([prompt[:, None].expand(-1, times, -1), own.expand(count, -1, -1)], 2)[:, None]
