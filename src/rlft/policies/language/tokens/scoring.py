"""How likely tokens were, without the logits of every position at once. Knows models, not tokenizers or rollouts.

A causal model is used in two halves: the trunk gives hidden states, and the head turns those of the decisions, and
no others, into logits, a piece at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rlft.policies.language.tokens.fused import widened
from rlft.policies.language.tokens.sampling import unpack
from rlft.policies.perception.sight import Sight
from rlft.types import UserError

# A `transformers` causal language model: a module whose attributes are known at run time only.
Causal = Any


class Asked(NamedTuple):
    """Rows, and M decisions of them: prompt [N L], its length [N], completion [N D], rows [M] and places [M].

    `sight` is what the rows were shown; None of a model that reads text alone.
    """

    prompt: Int[Tensor, "N L"]
    length: Int[Tensor, "N"]
    completion: Int[Tensor, "N D"]
    row: Int[Tensor, "M"]
    place: Int[Tensor, "M"]
    sight: Sight | None = None


def states_before(model: Causal, asked: Asked) -> Float[Tensor, "M H"]:
    """What the head sees before each decision."""
    longest = int(asked.place.max()) + 1 if len(asked.place) else 1
    before = asked.length[asked.row] + asked.place
    # No further than is asked: some models rotate every position otherwise when they see many.
    width = int(before.max()) if len(before) else 1
    tokens = joined(asked.prompt, asked.length, asked.completion[:, :longest])[:, :width]
    hidden = hidden_states(model, tokens) if asked.sight is None else seeing_states(model, asked.sight, tokens)
    return hidden[asked.row, before - 1]


def seeing_states(model: Causal, sight: Sight, tokens: Int[Tensor, "N S"]) -> Float[Tensor, "N S H"]:
    """As `hidden_states`, of rows that were shown something."""
    laid = sight.laid(model.get_input_embeddings(), tokens, torch.zeros_like(tokens[:, 0]))
    return sight.reads.states(model, laid, None, None)


def known_to(model: Causal) -> int:
    """How many tokens the model has embeddings of, an adapter around them or not."""
    return model.get_input_embeddings().weight.shape[0]


def context_of(config: Any) -> int | None:
    """How many tokens a model of this configuration reads at once in one way; None where it does not say.

    Rotary factors that are others beyond a length (longrope; "dynamic" only grows beyond the context) change those of
    earlier tokens too, so a row that crosses it is drawn by two models and could be scored by neither.
    """
    text = config.get_text_config()
    context, rotary = getattr(text, "max_position_embeddings", None), getattr(text, "rope_parameters", None) or {}
    kinds = [rotary, *(kind for kind in rotary.values() if isinstance(kind, Mapping))]
    turns = [kind.get("original_max_position_embeddings") for kind in kinds if kind.get("rope_type") == "longrope"]
    return min((length for length in (context, *turns) if length), default=None)


def hidden_states(
    model: Causal, tokens: Int[Tensor, "N S"], position: Int[Tensor, "N S"] | None = None
) -> Float[Tensor, "N S H"]:
    """What the head sees at every position. Rows are padded at the end, which a causal model does not look at."""
    told = {} if position is None else {"position_ids": position}
    return model.base_model(input_ids=tokens, use_cache=False, **told).last_hidden_state


def joined(prompt: Int[Tensor, "N L"], length: Int[Tensor, "N"], completion: Int[Tensor, "N D"]) -> Int[Tensor, "N S"]:
    """Prompt and completion in one row, padded at the end, without the last place, which predicts nothing."""
    width = int(length.max())
    row = nn.functional.pad(prompt[:, :width], (0, completion.shape[1]))
    place = length[:, None] + torch.arange(completion.shape[1], device=length.device)
    return row.scatter(1, place, completion)[:, :-1]


def logits_of(model: Causal, hidden: Float[Tensor, "M H"]) -> Float[Tensor, "M V"]:
    """The model's own logits for these hidden states, with whatever it does after its last matrix (caps, scales)."""
    with _trunk_gives(model, hidden[None]):
        return widened(model(inputs_embeds=hidden[None]).logits[0])


class _Answer:
    """The output of a trunk that kept nothing but its last hidden state."""

    def __init__(self, hidden: Tensor):
        self.last_hidden_state = hidden

    def __getitem__(self, index: int) -> Tensor:
        return (self.last_hidden_state,)[index]

    def __getattr__(self, name: str) -> None:
        return None


@contextmanager
def _trunk_gives(model: Causal, hidden: Tensor) -> Iterator[None]:
    """The trunk answers with hidden states that are there already, whatever it is asked.

    Some heads call a decoder inside the trunk, so both answer; an attribute on the module stands before its class's.
    """
    answer = _Answer(hidden)
    parts = {id(part): part for part in (model.base_model, model.get_decoder())}.values()
    usual = [vars(part).get("forward") for part in parts]
    for part in parts:
        part.forward = lambda *args, **kwargs: answer
    try:
        yield
    finally:
        for part, forward in zip(parts, usual, strict=True):
            del part.forward
            if forward is not None:
                part.forward = forward


def splittable(model: Causal) -> None:
    """Refuse a model that is not a trunk with a head: nothing here could score it."""
    if model.base_model is model or model.get_output_embeddings() is None:
        raise UserError(f"{type(model).__name__} is not a causal language model with a trunk and a head of its own")


def log_probs(
    model: Causal,
    hidden: Float[Tensor, "M H"],
    tokens: Int[Tensor, "M"],
    temperature: float,
    support: UInt8[Tensor, "M B"] | None,
    at_once: int,
) -> Float[Tensor, "M"]:
    """log softmax(logits / temperature)[token] of M decisions, over the support where one is given.

    At most `at_once` logits exist at a time, also in the backward pass, which computes each piece again.
    """

    def piece(hidden: Tensor, tokens: Tensor, support: Tensor | None) -> Tensor:
        scores = logits_of(model, hidden) / temperature
        if support is not None:
            scores = scores.masked_fill(~unpack(support, scores.shape[-1]), -math.inf)
        return scores.gather(-1, tokens[:, None])[:, 0] - scores.logsumexp(-1)

    size = max(1, at_once // model.get_output_embeddings().weight.shape[0])
    supports = repeat(None) if support is None else support.split(size)
    pieces = list(zip(hidden.split(size), tokens.split(size), supports, strict=False))
    if len(pieces) == 1:
        return piece(*pieces[0])
    return torch.cat([checkpoint(piece, *each, use_reentrant=False, preserve_rng_state=False) for each in pieces])


def new_value_head(model: Causal) -> nn.Linear:
    """A linear layer on the hidden state, zero at first; float32, or float64 with a float64 model."""
    weight = model.get_output_embeddings().weight
    dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
    # `skip_init`: the usual initialisation would move the global generator.
    head: Any = nn.utils.skip_init(nn.Linear, weight.shape[1], 1, dtype=dtype, device=weight.device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def recomputing(model: Causal) -> None:
    """Have the model recompute its activations in the backward pass instead of keeping them."""
    # The older of the two names is on its way out of transformers.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    try:
        enable({"use_reentrant": False})
    except ValueError as error:
        raise UserError(f"gradient_checkpointing=True: {error}") from error


def quiet(model: Causal, recompute: bool) -> None:
    """Put the model in eval mode, for good: dropout would make the first ratio differ from 1.

    With `recompute`, layers that can recompute their activations in the backward pass are told that they train,
    which is the only condition under which they do; nothing inside them is told so, and their own dropout is 0.
    """
    model.eval()
    for layer in _layers(model) if recompute else ():
        layer.training = True
        for name, value in vars(layer).items():
            if "dropout" in name and isinstance(value, float):
                setattr(layer, name, 0.0)


@contextmanager
def remembering(model: Causal) -> Iterator[None]:
    """While decoding: a layer that recomputes its activations would refuse its cache."""
    layers = [layer for layer in _layers(model) if layer.training]
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer in layers:
            layer.training = True


def _layers(model: Causal) -> list[nn.Module]:
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
