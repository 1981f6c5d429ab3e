"""Hugging Face causal models as decoders: caches, masks, positions, and which of them an architecture can take.

Three ways to go on from a prompt, fastest first: slots that are allocated once, the architecture's own cache, and
a full forward for every token. `Decoders` tries them on a few tokens and takes the first that gives the logits of
a plain forward, so that an architecture is served by what is exact for it and not by a list of names.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from rlft.policies.language.tokens.fused import widened
from rlft.policies.language.tokens.sampling import Decoder, finite
from rlft.policies.language.tokens.scoring import Causal, context_of, known_to, logits_of, seeing_states
from rlft.policies.perception.sight import Sight


class SlotLayer(DynamicLayer):
    """Keys and values of one attention layer in storage allocated once, of which the filled part is shown.

    The library's `DynamicLayer` copies everything at every token, its `StaticLayer` attends to empty slots.
    """

    def __init__(self, room: int):
        super().__init__()
        self.room = room
        self.used = 0
        self.storage: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if self.storage is None:
            self.lazy_initialization(key_states, value_states)
            self.storage = self._empty(key_states), self._empty(value_states)
        start, self.used = self.used, self.used + key_states.shape[2]
        self.storage[0][:, :, start : self.used] = key_states
        self.storage[1][:, :, start : self.used] = value_states
        return self._show()

    def reorder_cache(self, beam_idx: Tensor) -> None:
        if self.storage is None:
            return
        keys, values = (held[:, :, : self.used].index_select(0, beam_idx) for held in self.storage)
        self.storage = self._empty(keys), self._empty(values)
        self.storage[0][:, :, : self.used] = keys
        self.storage[1][:, :, : self.used] = values
        self._show()

    def get_seq_length(self) -> int:
        return self.used

    def _empty(self, like: Tensor) -> Tensor:
        return like.new_empty((*like.shape[:2], self.room, like.shape[3]))

    def _show(self) -> tuple[Tensor, Tensor]:
        assert self.storage is not None
        keys, values = (held[:, :, : self.used] for held in self.storage)
        self.keys, self.values = keys, values
        return keys, values


def own_cache(model: Causal, room: int) -> Any:
    """The cache that the architecture asks for, growing at every token."""
    return DynamicCache(config=model.config)


def slot_cache(model: Causal, room: int) -> Any:
    """The same with `SlotLayer` where a layer attends to everything; windows and recurrent states stay as they are."""
    cache = own_cache(model, room)
    cache.layers = [SlotLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class Cached:
    """Decodes with a cache. Prompts are padded on the left, so that all rows write the same slot; positions and masks
    are explicit, so that the padding changes nothing. Where no prompt is padded there is no mask at all.

    `broad` hands the model the mask of a decoding step as [n 1 1 slots], added to the scores, which it takes as it is
    instead of building its own at every token; only right where all layers attend to everything.
    """

    def __init__(self, model: Causal, new_cache: Callable[[Causal, int], Any], broad: bool, sight: Sight | None = None):
        self.model, self.new_cache, self.broad, self.sight = model, new_cache, broad, sight
        self.takes = inspect.signature(model.forward).parameters
        # A recurrent state has no slots to mask: once the prompt is read, padding is gone from it.
        self.recurrent = "cache_params" in self.takes

    def start(self, tokens: Int[Tensor, "P L"], lengths: Sequence[int], room: int) -> Float[Tensor, "P V"]:
        count, width = tokens.shape
        place = torch.arange(width, device=tokens.device)
        size = torch.tensor(lengths, device=tokens.device)
        from_left = place - (width - size)[:, None]
        read = from_left >= 0
        self.padded = min(lengths) < width
        seen = torch.cat([read, read.new_ones(count, room)], dim=1)
        self.mask = self._added(seen) if self.broad else seen.long()
        self.used, self.position = width, size
        self.cache = self.new_cache(self.model, width + room)
        left = tokens.gather(1, from_left % width).where(read, 0)
        mask = read.long() if self.padded else None
        if self.sight is None:
            return self._forward(left, mask, from_left.clamp(min=0))
        laid = self.sight.laid(self.model.get_input_embeddings(), left, width - size)
        self.position = size + self.sight.ahead
        hidden = self.sight.reads.states(self.model, laid, mask, self.cache)
        return logits_of(self.model, hidden[:, -1])

    def keep(self, rows: Int[Tensor, "n"]) -> None:
        self.cache.reorder_cache(rows)
        self.mask, self.position = self.mask[rows], self.position[rows]

    def step(self, tokens: Int[Tensor, "n"]) -> Float[Tensor, "n V"]:
        self.used += 1
        mask = None
        if self.padded and not self.recurrent:
            mask = self.mask[:, : self.used]
            mask = mask[:, None, None] if self.broad else mask
        logits = self._forward(tokens[:, None], mask, self.position[:, None])
        self.position = self.position + 1
        return logits

    def _added(self, seen: Tensor) -> Tensor:
        dtype = self.model.get_input_embeddings().weight.dtype
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)

    def _forward(self, tokens: Tensor, mask: Tensor | None, position: Tensor) -> Tensor:
        told = {
            "cache_params" if self.recurrent else "past_key_values": self.cache,
            "position_ids": position,
            "logits_to_keep": 1,
        }
        told = {name: value for name, value in told.items() if name in self.takes}
        return widened(self.model(input_ids=tokens, attention_mask=mask, use_cache=True, **told).logits[:, -1])


class Uncached:
    """Reads every row from its beginning for every token: right for whatever is causal, and slow."""

    def __init__(self, model: Causal, sight: Sight | None = None):
        self.model, self.sight = model, sight

    def start(self, tokens: Int[Tensor, "P L"], lengths: Sequence[int], room: int) -> Float[Tensor, "P V"]:
        self.tokens = nn.functional.pad(tokens, (0, room))
        self.length = torch.tensor(lengths, device=tokens.device)
        return self._forward()

    def keep(self, rows: Int[Tensor, "n"]) -> None:
        self.tokens, self.length = self.tokens[rows], self.length[rows]
        self.sight = None if self.sight is None else self.sight.of(rows)

    def step(self, tokens: Int[Tensor, "n"]) -> Float[Tensor, "n V"]:
        self.tokens = self.tokens.scatter(1, self.length[:, None], tokens[:, None])
        self.length = self.length + 1
        return self._forward()

    def _forward(self) -> Tensor:
        tokens = self.tokens[:, : int(self.length.max())]
        last = torch.arange(len(tokens), device=tokens.device), self.length - 1
        if self.sight is not None:
            return logits_of(self.model, seeing_states(self.model, self.sight, tokens)[last])
        return widened(self.model(input_ids=tokens, use_cache=False).logits[last])


@runtime_checkable
class Decodes(Protocol):
    """A model that has a way of its own, several models in one for instance."""

    def new_decoder(self, sight: Sight | None) -> Decoder: ...


class Decoders:
    """Makes decoders for a model, in the fastest of the three ways that reproduces a plain forward.

    The trial, at the first use, is two prompts of different lengths, one of them repeated and then dropped. All
    log-probabilities must agree as `Language.log_prob` promises, see `as_promised`.
    """

    def __init__(self, model: Causal):
        self.model = model
        self.way: Callable[[Sight | None], Decoder] | None = None

    def new(self, sight: Sight | None = None) -> Decoder:
        """One that has read nothing; `sight` is what the prompts were shown that it will read."""
        if self.way is None:
            self.way = self._fastest()
        return self.way(sight)

    def _fastest(self) -> Callable[[Sight | None], Decoder]:
        model = self.model
        expected = finite(trial(None, model))
        for way in _cached_ways(model):
            if _agree(lambda way=way: trial(way(None), model), expected, model):
                return way
        warnings.warn(f"no cache reproduces {type(model).__name__}: every token costs a full forward", stacklevel=2)
        return partial(Uncached, model)


def _cached_ways(model: Causal) -> list[Callable[[Sight | None], Decoder]]:
    if isinstance(model, Decodes):
        return [model.new_decoder]
    takes = inspect.signature(model.forward).parameters
    if "past_key_values" not in takes and "cache_params" not in takes:
        return []
    ways = [(slot_cache, False), (own_cache, False)]
    broad = [(slot_cache, True)] if attends_to_everything(model) else []
    return [partial(Cached, model, cache, broad) for cache, broad in broad + ways]


def attends_to_everything(model: Causal) -> bool:
    """Every layer is plain attention, in an implementation that takes a mask to add."""
    if model.config._attn_implementation not in ("sdpa", "eager"):
        return False
    return all(type(layer) is SlotLayer for layer in slot_cache(model, 1).layers)


def as_promised(logits: Float[Tensor, "n V"], expected: Float[Tensor, "n V"], model: Causal) -> bool:
    """Whether every log-probability is within 5e-5 (float64: 1e-9), times the logits' spread where that is above 1.

    In half precision, where rounding reaches further, the logits on average within 0.1 of their spread.
    """
    dtype, spread = next(model.parameters()).dtype, expected.std()
    if dtype in (torch.bfloat16, torch.float16):
        return bool((logits - expected).abs().mean() <= 0.1 * spread)
    bound = (1e-9 if dtype == torch.float64 else 5e-5) * spread.clamp(min=1.0)
    return bool((logits.log_softmax(-1) - expected.log_softmax(-1)).abs().max() <= bound)


def _agree(trial: Callable[[], Tensor], expected: Tensor, model: Causal) -> bool:
    try:
        logits = trial()
    except torch.OutOfMemoryError:
        raise
    # Whatever an architecture makes of a cache that is not for it: there is a slower way.
    except (TypeError, ValueError, AttributeError, LookupError, NotImplementedError, RuntimeError):
        return False
    return as_promised(logits, expected, model)


@torch.no_grad()
def trial(decoder: Decoder | None, model: Causal) -> Tensor:
    """The logits of a few steps on two prompts, one repeated and then dropped; without a decoder, of full forwards."""
    decoder = decoder or Uncached(model)
    device, vocabulary = next(model.parameters()).device, known_to(model)
    words = torch.arange(22, device=device) % vocabulary
    width = min(11, (context_of(model.config) or 14) - 3)  # beyond the windows of convolutions
    prompts = torch.stack([words[:width], words[11 : 11 + width]])
    logits = [decoder.start(prompts, [width, 1], room=3)]
    decoder.keep(torch.tensor([0, 1, 1], device=words.device))
    # The next step may write over a step's logits.
    logits.append(decoder.step(words[1:4]).clone())
    decoder.keep(torch.tensor([2, 0], device=words.device))
    logits.append(decoder.step(words[4:6]).clone())
    return torch.cat([*logits, decoder.step(words[:2])])
