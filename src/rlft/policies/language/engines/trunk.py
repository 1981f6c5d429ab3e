"""Llama-shaped decoders run from the weights that `transformers` has loaded, none copied. Not a model of its own.

`built_like_llama` looks whether a model has the parts of Llama: RMS norms, rotary positions, grouped-query attention
to everything, a gated MLP (Llama, Qwen2, Qwen3, Mistral without a window and their like). `Trunk` then does what the
model's own code does, without its overhead. Linear layers are called as the modules they are, so adapters act. That
a model has these parts does not say that it puts them together like this: `engines` tries that.

Tokens are rows of a matrix and have no batch: nothing is padded but the queries and keys of attention. A prompt that
several completions follow is one prefix, whose keys and values all of them attend to, and whose gradient is the sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

from rlft.policies.language.engines.layers import Beside, direct
from rlft.policies.language.tokens.fused import gated, rms_norm, thought, turned
from rlft.policies.language.tokens.layout import Layout

_TRUNK = {"embed_tokens", "layers", "norm", "rotary_emb"}
_LAYER = {"input_layernorm", "self_attn", "post_attention_layernorm", "mlp"}
_ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
_MLP = {"gate_proj", "up_proj", "down_proj", "act_fn"}

Keys = list[tuple[Tensor, Tensor]]


class Block(NamedTuple):
    """What is called of one layer, norms and linear layers, and the modules around them that are not."""

    first: Any
    read: Any  # queries, keys, values
    query_norm: Any  # None where queries and keys have none
    key_norm: Any
    out: Any
    second: Any
    widen: Any  # gate, up
    down: Any
    act: Callable[[Tensor, Tensor], Tensor]
    bare: tuple[Tensor, ...]  # the matrices of gate, up and down, where there is nothing else to them; else none
    around: tuple[nn.Module, ...]


class Angles(NamedTuple):
    """cos and sin of each token's position, [n 1 E], `sin` with its first half negated."""

    cos: Float[Tensor, "n 1 E"]
    sin: Float[Tensor, "n 1 E"]


def built_like_llama(model: Any) -> bool:
    """Whether the parts of this causal model are those of Llama."""
    trunk = model.get_decoder()
    if _children(trunk) != _TRUNK or not all(map(_llama_like, trunk.layers)):
        return False
    # These change all angles, of earlier tokens too, when a row grows long.
    return trunk.rotary_emb.rope_type not in ("dynamic", "longrope")


def _children(module: nn.Module) -> set[str]:
    return {name for name, _ in module.named_children()}


def _llama_like(layer: Any) -> bool:
    if _children(layer) != _LAYER or _children(layer.mlp) != _MLP:
        return False
    attention = _children(layer.self_attn)
    bare = (layer, layer.self_attn, layer.mlp)
    return attention - {"q_norm", "k_norm"} == _ATTENTION and not any(list(m.parameters(recurse=False)) for m in bare)


def norm(module: Any, x: Tensor) -> Tensor:
    """What the norm gives."""
    if "variance_epsilon" in vars(module):
        return rms_norm(x, module.weight, module.variance_epsilon)
    return module(x)


class Trunk:
    """The decoder without its head: tokens to hidden states."""

    def __init__(self, model: Any):
        self.trunk = trunk = model.get_decoder()
        self.heads, self.key_heads = trunk.config.num_attention_heads, trunk.config.num_key_value_heads
        self.blocks = [_block(layer) for layer in trunk.layers]
        rotary = getattr(trunk.config, "rope_parameters", None) or {}
        self.by_three = "mrope_section" in rotary
        self.width, self.scaling = trunk.layers[0].self_attn.head_dim, trunk.layers[0].self_attn.scaling

    def bypassed(self) -> Iterator[nn.Module]:
        """The modules whose `forward` is not called: whoever hooks onto one of them must be served otherwise."""
        yield self.trunk
        yield self.trunk.norm
        for block in self.blocks:
            yield from (*block.around, block.first, block.second)
            yield from (module for module in (block.query_norm, block.key_norm) if module is not None)

    def angles(self, position: Int[Tensor, "*r n"]) -> Angles:
        """As the model's own rotary module has them; of three positions at once for models that turn by three."""
        told = position.expand(3, -1)[:, None] if self.by_three else position[None]
        cos, sin = self.trunk.rotary_emb(self.trunk.embed_tokens.weight[:1], told)
        half = self.width // 2
        return Angles(cos[0, :, None], torch.cat([-sin[0, :, :half], sin[0, :, half:]], -1)[:, None])

    def hidden(
        self, layout: Layout, wanted: Int[Tensor, "M"], recompute: bool = False, keys: Keys | None = None
    ) -> Float[Tensor, "M H"]:
        """What the head sees after these tokens of the layout, any of them several times.

        The last layer goes past its attention for the wanted tokens alone: most of a prompt is not among them.
        `recompute` keeps only what goes from layer to layer for the backward pass; `keys` is given the keys and
        values [P h L E] of each layer's prefixes.
        """
        # One matrix of tokens and no batch: products see T rows, of which none is padding.
        x, angles = layout.seen_in(self.trunk.embed_tokens(layout.tokens)), self.angles(layout.position)
        seen = None if layout.seen is None else self.added(layout.seen, x.dtype)
        # A token may be wanted by several decisions: the last token of a prompt is, by the first one of every row of
        # its group.
        kept, place = wanted.unique(return_inverse=True)

        def through(block: Block, x: Tensor) -> Tensor:
            queries, new, values = self.projected(block, x, angles)
            attended = self._attended(layout, seen, queries, new, values, keys)
            # Attention needs every token, what follows it in the last layer only those that somebody asks for. Other
            # layers feed layers above, whose keys and values are of all tokens.
            if block is self.blocks[-1]:
                x, attended = x.index_select(0, kept), attended.index_select(0, kept)
            return self.after(block, x, attended)

        for level, block in enumerate(self.blocks):
            if recompute and torch.is_grad_enabled():
                # There is no dropout in eval mode, so no random state to keep; re-entrant checkpoints would lose the
                # gradient of adapters whose inputs need none.
                x = checkpoint(through, block, x, use_reentrant=False, preserve_rng_state=False)
            else:
                x = through(block, x)
            # A tower that speaks in several layers does so in the first ones: never in the last, where few are kept.
            more = layout.added_after(level, x)
            x = x if more is None else x + more
        return self.normed(x).index_select(0, place)

    def normed(self, x: Float[Tensor, "n H"]) -> Float[Tensor, "n H"]:
        """The last norm, before the head."""
        return norm(self.trunk.norm, x)

    def added(self, seen: Bool[Tensor, "n 1 D S"], dtype: torch.dtype) -> Float[Tensor, "n 1 Q S"]:
        """What attention adds to its scores, for the query heads of one key head, Q = D·H/h."""
        # An additive mask in the type of the scores: a boolean one is turned into it at every layer.
        held = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, -math.inf)
        return held.repeat(1, 1, self.heads // self.key_heads, 1)

    def projected(self, block: Block, x: Tensor, angles: Angles) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [n H E], keys and values [n h E] of each token, at its position."""
        x = norm(block.first, x)
        queries, keys, values = (part.view(len(x), -1, self.width) for part in block.read(x))
        queries = queries if block.query_norm is None else norm(block.query_norm, queries)
        keys = keys if block.key_norm is None else norm(block.key_norm, keys)
        return turned(queries, *angles), turned(keys, *angles), values

    def after(self, block: Block, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of the layer, for what attention gave [n H·E]."""
        x = x + block.out(attended)
        if block.bare and torch.is_grad_enabled():
            return x + thought(x, block.second.weight, block.second.variance_epsilon, *block.bare)
        inner = norm(block.second, x)
        return x + block.down(block.act(*block.widen(inner)))

    def _attended(
        self, layout: Layout, seen: Tensor | None, queries: Tensor, new: Tensor, values: Tensor, keys: Keys | None
    ) -> Float[Tensor, "T C"]:
        first, rest = layout.prefix, layout.suffix
        q, k, v = (first.spread(part[: first.count]) for part in (queries, new, values))
        if keys is not None:
            # The decoder that goes on from here keeps them: the prompt is read once, and never again at a step.
            keys.append((k.transpose(1, 2), v.transpose(1, 2)))
        before = first.pack(self._causal(q, k, v).flatten(2))
        if rest is None:
            return before
        q = rest.spread(queries[first.count :])
        # Each completion attends to its prompt's keys, which are an expanded view where groups are even, and not a
        # copy. The gradients of a whole group add up in them: that is why a prompt is read once and not once a row.
        k, v = (
            torch.cat([layout.owned(prompt), rest.spread(part[first.count :])], 1)
            for prompt, part in ((k, new), (v, values))
        )
        return torch.cat([before, rest.pack(self.masked(q, k, v, seen).flatten(2))])

    def _causal(self, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "P L H E"]:
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        grouped = self.heads != self.key_heads
        attended = scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scaling, enable_gqa=grouped)
        return attended.transpose(1, 2)

    def masked(self, q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None) -> Float[Tensor, "N D H E"]:
        """Attention of queries [N D H E] to keys and values [N S h E]; `seen` is that of `added`, or everything is.

        The query heads of one key head stand behind one another as if they were queries at other times, so that no
        key is repeated.
        """
        count, times, _, width = q.shape
        per = self.heads // self.key_heads
        # Folding the group of query heads into time makes one larger product out of several, and spares repeating the
        # keys, which is what memory goes into with few key heads.
        q = q.view(count, times, self.key_heads, per, width).permute(0, 2, 3, 1, 4).flatten(2, 3)
        k, v = k.transpose(1, 2), v.transpose(1, 2)
        attended = scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=self.scaling)
        attended = attended.view(count, self.key_heads, per, times, width).permute(0, 3, 1, 2, 4)
        return attended.reshape(count, times, self.heads, width)


def _block(layer: Any) -> Block:
    attention, mlp = layer.self_attn, layer.mlp
    norms, act = dict(attention.named_children()), mlp.act_fn
    smooth = "silu" in type(act).__name__.lower()
    linears = [direct(part) for part in (mlp.gate_proj, mlp.up_proj, mlp.down_proj)]
    bare = tuple(one.keywords["weight"] for one in linears if isinstance(one, partial) and one.keywords["bias"] is None)
    plain = len(bare) == 3 and smooth and "variance_epsilon" in vars(layer.post_attention_layernorm)
    return Block(
        first=layer.input_layernorm,
        read=Beside((direct(attention.q_proj), direct(attention.k_proj), direct(attention.v_proj))),
        query_norm=norms.get("q_norm"),
        key_norm=norms.get("k_norm"),
        out=direct(attention.o_proj),
        second=layer.post_attention_layernorm,
        widen=Beside((linears[0], linears[1])),
        down=linears[2],
        bare=bare if plain else (),
        act=gated if smooth else lambda gate, up: act(gate) * up,
        around=(layer, attention, mlp, act),
    )
