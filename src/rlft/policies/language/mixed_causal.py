"""Several causal models as one: a trunk whose hidden states stand side by side, a head that mixes their logits.

What `scoring` and `plain` ask of a `transformers` model and no more, so `Language` draws from and scores a mix
as it does any model. Not a `PreTrainedModel`: others load its members, one by one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.policies.language.adapters import has_adapter
from rlft.policies.language.folder import MIX, save_model
from rlft.policies.language.tokens.sampling import Decoder, support_of
from rlft.policies.language.tokens.scoring import Causal, context_of, hidden_states, logits_of, recomputing, widened
from rlft.policies.mix import Weighted
from rlft.types import UserError


@dataclass(frozen=True)
class OutsideTopP:
    """Where the first model speaks alone: outside the smallest set of its most likely tokens that holds `top_p`.

    The others then re-weigh what the first deems likely and cannot raise what it does not: the conservative up-scaling
    of arXiv:2310.12962, Sec. 4.4. As a score, log p1 + [token in the set]·(Σ w·log p - log p1).
    """

    top_p: float

    def __post_init__(self) -> None:
        if not 0 < self.top_p < 1:
            raise UserError(f"OutsideTopP({self.top_p}): the mass inside lies between 0 and 1; give no rule for all")

    def __call__(self, scores: Sequence[Float[Tensor, "*B V"]], mix: Weighted) -> Float[Tensor, "*B V"]:
        # Not to be drawn from a sum of unlike scales: a model's logits are only known up to a constant.
        each = [score.log_softmax(-1) for score in scores]
        inside = support_of(each[0].flatten(0, -2), 0, self.top_p).view(each[0].shape)
        return torch.where(inside, mix(each), each[0])


class MixedCausal(nn.Module):
    """Logits Σ w·logits of the members, over the tokens that all of them have.

    models   causal models, adapters around them or not; the first also says what ends a row
    mix      their weights
    alone    where the first speaks alone, or None
    """

    def __init__(self, models: Sequence[Causal], mix: Weighted, alone: OutsideTopP | None = None):
        from rlft.policies.language.engines.choose import Lean

        super().__init__()
        self.base_model = _SideBySide(models)
        self.mix, self.alone = mix, alone
        members = self.base_model.members
        self.generation_config = members[0].generation_config
        self.config = _narrowest(members)
        self._no_split_modules = sorted({name for member in members for name in member._no_split_modules or ()})
        self.engines = [Lean(member) for member in members]
        self.vocabulary = min(member.get_output_embeddings().weight.shape[0] for member in members)

    def mixed(self, scores: Sequence[Float[Tensor, "*B _"]]) -> Float[Tensor, "*B V"]:
        """The members' logits as one. Some have rows for padding beyond the shared tokens, which nobody may draw."""
        cut = [score[..., : self.vocabulary] for score in scores]
        return self.mix(cut) if self.alone is None else self.alone(cut, self.mix)

    def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, use_cache: bool = False):
        """An object with `logits` [*B V]."""
        hidden = self.base_model(input_ids=input_ids).last_hidden_state
        parts = zip(self.base_model.members, hidden.split(self.base_model.widths, dim=-1), strict=True)
        scores = [_logits(member, part) for member, part in parts]
        return SimpleNamespace(logits=self.mixed(scores))

    def new_decoder(self, sight: Any) -> Decoder:
        """The members' decoders in step; see `plain.Decodes`."""
        return _Together([engine.decoder() for engine in self.engines], self)

    def get_decoder(self) -> nn.Module:
        """The trunk."""
        return self.base_model

    def get_input_embeddings(self) -> nn.Module:
        """Those of the member that knows the fewest tokens."""
        every = [member.get_input_embeddings() for member in self.base_model.members]
        return min(every, key=lambda embeddings: embeddings.weight.shape[0])

    def get_output_embeddings(self) -> Any:
        """Something whose `weight` [V, all widths] has the head's shape, type and device, and no storage."""
        like = self.base_model.members[0].get_output_embeddings().weight
        return SimpleNamespace(weight=like.detach().new_zeros(()).expand(self.vocabulary, sum(self.base_model.widths)))

    def gradient_checkpointing_enable(self, told: dict[str, Any]) -> None:
        """Have every member recompute its activations."""
        for member in self.base_model.members:
            recomputing(member)

    def save_pretrained(self, folder: Path, state_dict: dict[str, Tensor]) -> None:
        """Each member in a folder of its own, and in `mix.json` the weights and which members are trained."""
        for place, model in enumerate(self.base_model.models):
            save_model(model, folder / member_folder(place), merge=False)
        trained = [any(p.requires_grad for p in model.parameters()) for model in self.base_model.models]
        top_p = None if self.alone is None else self.alone.top_p
        facts = {"weights": list(self.mix.weights), "trained": trained, "outside_top_p": top_p}
        (folder / MIX).write_text(json.dumps(facts, indent=1))
        self.generation_config.save_pretrained(folder)


def same_vocabulary(one: Any, other: Any) -> None:
    """UserError unless two tokenizers number the same tokens alike."""
    words, others = one.get_vocab(), other.get_vocab()
    if words == others:
        return
    apart = next(word for word in {**words, **others} if words.get(word) != others.get(word))
    raise UserError(
        f"logits of different vocabularies do not add: of {len(words)} and {len(others)} tokens, {apart!r} is number "
        f"{words.get(apart, 'none')} in one and {others.get(apart, 'none')} in the other; mix models of one tokenizer"
    )


def member_folder(place: int) -> str:
    """Where a member lies in the folder of a mix."""
    return f"member-{place}"


def _narrowest(members: Sequence[Causal]) -> Any:
    """The first member's configuration, with the context that all of them can read."""
    contexts = [context_of(member.config) for member in members]
    config = copy.deepcopy(members[0].config)
    config.get_text_config().max_position_embeddings = min((c for c in contexts if c), default=None)
    return config


def _logits(member: Causal, hidden: Float[Tensor, "*B H"]) -> Float[Tensor, "*B V"]:
    flat = hidden.flatten(0, -2).to(member.get_output_embeddings().weight.dtype)
    return logits_of(member, flat).unflatten(0, hidden.shape[:-1])


class _SideBySide(nn.Module):
    """The members' hidden states, one behind the other in the last dimension."""

    def __init__(self, models: Sequence[Causal]):
        super().__init__()
        self.models = nn.ModuleList(models)
        self.widths = [member.get_output_embeddings().weight.shape[1] for member in self.members]

    @property
    def members(self) -> list[Causal]:
        """The `transformers` models, adapters inside them or not."""
        models: list[Any] = list(self.models)
        return [model.get_base_model() if has_adapter(model) else model for model in models]

    def forward(self, input_ids: Int[Tensor, "N S"], use_cache: bool = False) -> SimpleNamespace:
        hidden = [widened(hidden_states(member, input_ids)) for member in self.members]
        return SimpleNamespace(last_hidden_state=torch.cat(hidden, dim=-1))


class _Together:
    """Decoders of several models that read the same tokens."""

    def __init__(self, decoders: Sequence[Decoder], model: MixedCausal):
        self.decoders, self.model = decoders, model

    def start(self, tokens: Int[Tensor, "P L"], lengths: Sequence[int], room: int) -> Float[Tensor, "P V"]:
        return self.model.mixed([decoder.start(tokens, lengths, room) for decoder in self.decoders])

    def keep(self, rows: Int[Tensor, "n"]) -> None:
        for decoder in self.decoders:
            decoder.keep(rows)

    def step(self, tokens: Int[Tensor, "n"]) -> Float[Tensor, "n V"]:
        return self.model.mixed([decoder.step(tokens) for decoder in self.decoders])
