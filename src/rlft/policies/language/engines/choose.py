"""What runs a language model: `Lean`, our own code over its weights, or `Plain`, its own. Not a policy, and no weights.

    Language(model, tokenizer)                   Lean, wherever it gives the model's numbers
    Language(model, tokenizer, engine=Plain)     the model's own forward, to compare with

An engine decodes and scores; what is drawn from the logits, and with which noise, is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.policies.language.engines.captured import Captured
from rlft.policies.language.engines.decode import LeanDecoder
from rlft.policies.language.engines.layers import hooked
from rlft.policies.language.engines.plain import Decoders, Decodes, as_promised, attends_to_everything, trial
from rlft.policies.language.engines.trunk import Trunk, built_like_llama
from rlft.policies.language.tokens.fused import chosen_log_probs
from rlft.policies.language.tokens.layout import Layout, runs
from rlft.policies.language.tokens.passes import Lengths, padded_cost, shared_cost
from rlft.policies.language.tokens.sampling import Decoder, finite
from rlft.policies.language.tokens.scoring import (
    Asked,
    Causal,
    context_of,
    hidden_states,
    joined,
    known_to,
    log_probs,
    states_before,
)
from rlft.policies.perception.sight import Sight


class Plain:
    """The model's own forward: caches for decoding as `plain` tries them, every prompt scored with every row."""

    def __init__(self, model: Causal):
        self.model, self.decoders = model, Decoders(model)

    def decoder(self, sight: Sight | None = None) -> Decoder:
        return self.decoders.new(sight)

    def hidden(self, asked: Asked, recompute: bool) -> Float[Tensor, "M H"]:
        return states_before(self.model, asked)

    def cost(self) -> Callable[[Sequence[Lengths]], int]:
        return padded_cost

    def log_probs(
        self, hidden: Tensor, tokens: Tensor, temperature: float, support: Tensor | None, at_once: int
    ) -> Float[Tensor, "M"]:
        return log_probs(self.model, hidden, tokens, temperature, support, at_once)


class Lean:
    """`trunk.Trunk` for models built of the parts of Llama, `Plain` for all others.

    Whether the parts are put together as there is tried once, against plain forwards at the beginning and at the end
    of the context. While somebody hooks onto a module that the lean code does not call (FSDP does), it stands back.

    captured    whether decoding steps have fixed shapes and, on a GPU, are played from a CUDA graph; None: on a GPU
    """

    def __init__(self, model: Causal, captured: bool | None = None):
        self.model, self.plain, self.captured = model, Plain(model), captured
        own = isinstance(model, Decodes)
        self.fits = not own and built_like_llama(model) and attends_to_everything(model)
        self.exact: bool | None = None

    def decoder(self, sight: Sight | None = None) -> Decoder:
        trunk = self._usable()
        return self.plain.decoder(sight) if trunk is None else self._going_on(trunk, sight)

    def hidden(self, asked: Asked, recompute: bool) -> Float[Tensor, "M H"]:
        trunk = self._usable()
        if trunk is None:
            return self.plain.hidden(asked, recompute)
        layout = laid_out(asked)
        return trunk.hidden(layout, layout.before(asked.row, asked.place), recompute)

    def cost(self) -> Callable[[Sequence[Lengths]], int]:
        return self.plain.cost() if self._usable() is None else shared_cost

    def log_probs(
        self, hidden: Tensor, tokens: Tensor, temperature: float, support: Tensor | None, at_once: int
    ) -> Float[Tensor, "M"]:
        head = self.model.get_output_embeddings()
        if type(head) is not nn.Linear or self._usable() is None or hooked(head):
            return self.plain.log_probs(hidden, tokens, temperature, support, at_once)
        size = max(1, at_once // len(head.weight))
        return chosen_log_probs(hidden, head.weight, head.bias, tokens, temperature, support, size)

    def _usable(self) -> Trunk | None:
        if not self.fits or self.exact is False:
            return None
        trunk = Trunk(self.model)  # anew each time: adapters may have taken the place of modules
        if any(map(hooked, trunk.bypassed())):
            return None
        if self.exact is None:
            self.exact = _agrees(self.model, trunk, self._going_on(trunk))
        return trunk if self.exact else None

    def _going_on(self, trunk: Trunk, sight: Sight | None = None) -> Decoder:
        head = self.model.get_output_embeddings()
        captured = head.weight.is_cuda if self.captured is None else self.captured
        return Captured(trunk, head, sight) if captured else LeanDecoder(trunk, head, sight)


def laid_out(asked: Asked, start: int = 0) -> Layout:
    """The rows with equal prompts that stand together behind one, each as far as its last decision needs it."""
    owner = runs(asked.prompt, asked.length, None if asked.sight is None else asked.sight.owner)
    first = torch.cat([owner.new_ones(min(len(owner), 1)), owner.diff()]).nonzero()[:, 0]
    reach = torch.zeros_like(asked.length).scatter_reduce(0, asked.row, asked.place, "amax")
    prompt, length = asked.prompt[first], asked.length[first]
    sight = None if asked.sight is None else asked.sight.of(first)
    return Layout(prompt[:, : int(length.max())], length, asked.completion, owner, reach, start, sight)


@torch.no_grad()
def _agrees(model: Causal, trunk: Trunk, decoder: Decoder) -> bool:
    """Hidden states at both ends of the context to 1e-4 of their spread (half: 0.1), and a decoder `as_promised`."""
    weight, known = next(model.parameters()), known_to(model)
    tolerance = 0.1 if weight.dtype in (torch.bfloat16, torch.float16) else 1e-4
    words = torch.arange(24, device=weight.device) % known
    rows = Asked(
        prompt=words[:9].view(3, 3)[torch.tensor([0, 0, 1, 2], device=words.device)],
        length=torch.tensor([3, 3, 1, 2], device=words.device),
        completion=words[8:].view(4, 4),
        row=torch.arange(4, device=words.device).repeat_interleave(4),
        place=torch.arange(4, device=words.device).repeat(4),
    )
    context = context_of(model.config) or 8
    pairs = [_states(model, trunk, rows, start) for start in (0, max(context - 8, 0))]
    alike = all(bool((ours - finite(plain)).abs().mean() <= tolerance * plain.std()) for ours, plain in pairs)
    return alike and as_promised(trial(decoder, model), finite(trial(None, model)), model)


def _states(model: Causal, trunk: Trunk, rows: Asked, start: int) -> tuple[Tensor, Tensor]:
    layout = laid_out(rows, start)
    whole = joined(rows.prompt, rows.length, rows.completion)
    place = start + torch.arange(whole.shape[1], device=whole.device)
    plain = hidden_states(model, whole, place.expand_as(whole))
    ours = trunk.hidden(layout, layout.before(rows.row, rows.place))
    return ours, plain[rows.row, rows.length[rows.row] + rows.place - 1]
