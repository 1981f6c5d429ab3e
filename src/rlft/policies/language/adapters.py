"""PEFT adapters around a causal model: which can be used, a base as large as they need, and what merging makes of them.

Loading and saving is `load` and `folder`; this asks PEFT for nothing, so it is not imported for models without one.
"""

from __future__ import annotations

import copy
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rlft.policies.language.tokens.scoring import Causal, known_to
from rlft.types import UserError

# How far log-probabilities may move under merging, in nats: rounding; and where it is another model.
_ROUNDING, _ANOTHER = 1e-3, 0.05


def has_adapter(model: Causal) -> bool:
    """Whether this is a PEFT model; asked without importing PEFT."""
    return any(kind.__name__ == "PeftModel" for kind in type(model).__mro__)


def readable(model: Causal) -> Causal:
    """The model, if its adapters can be used."""
    for config in model.peft_config.values() if has_adapter(model) else ():
        check_kind(config)
    return model


def check_kind(config: Any) -> None:
    """UserError for an adapter that stands before the prompt and not inside the layers."""
    if config.is_prompt_learning:
        raise UserError(
            f"the adapter is of kind {config.peft_type.value}: it puts tokens of its own before every prompt, and rows "
            "behind them can be neither scored here nor merged; give one that acts inside layers, like LoRA"
        )


def resize(model: Causal, folder: Path) -> None:
    """As many embeddings as the adapter in this folder was trained with, where it brings its own: tokens were added."""
    from safetensors import safe_open

    file = folder / "adapter_model.safetensors"
    if not file.is_file():
        return
    named = {id(module): name for name, module in model.named_modules()}
    places = [named.get(id(part)) for part in (model.get_input_embeddings(), model.get_output_embeddings())]
    whole = [re.compile(rf"base_model\.model\.{place}(\.\w+)*?(\.base_layer)?\.weight") for place in places if place]
    with safe_open(file, "pt") as held:
        own = [key for key in held.keys() if any(one.fullmatch(key) for one in whole)]  # noqa: SIM118 - no dict
        sizes = [held.get_slice(key).get_shape()[0] for key in own]
    if sizes and max(sizes) != known_to(model):
        model.resize_token_embeddings(max(sizes), mean_resizing=False)


@torch.no_grad()
def merged(model: Causal) -> Causal:
    """A copy whose adapters are added to its weights. What that changes is measured, and said.

    Where an adapter acts on the embeddings or the head alone, those that the base has tied are parted. UserError where
    the sum is not the trained model; half precision rounds it, there it is only said.
    """
    before, half = _few(model), next(model.parameters()).dtype in (torch.bfloat16, torch.float16)
    whole = copy.deepcopy(model)
    tied = _parted(whole.get_base_model())
    whole = whole.merge_and_unload()
    first, head = whole.get_input_embeddings(), whole.get_output_embeddings()
    if tied and torch.equal(first.weight, head.weight):
        head.weight = first.weight
        whole.config.tie_word_embeddings = True
    moved = float((_few(whole) - before).abs().max())
    said = f"merging the adapter moves log-probabilities by up to {moved:.2g} nats"
    if not (half or moved <= _ANOTHER):
        raise UserError(f"{said}: the sum is not the trained model; save the adapter itself, without merge=True")
    if not moved <= _ROUNDING:
        warnings.warn(said, stacklevel=3)
    return whole


def _parted(causal: Causal) -> bool:
    """Whether the head was the embeddings' own matrix; from now on it is a copy."""
    first, head = (_base(m) for m in (causal.get_input_embeddings(), causal.get_output_embeddings()))
    if head.weight is not first.weight:
        return False
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=head.weight.requires_grad)
    causal.config.tie_word_embeddings = False
    return True


def _base(module: nn.Module) -> Any:
    """What an adapter stands around."""
    return next((part for name, part in module.named_modules() if name.endswith("base_layer")), module)


def _few(model: Causal) -> torch.Tensor:
    """Log-probabilities behind a few tokens, spread over the vocabulary."""
    causal = model.get_base_model() if has_adapter(model) else model
    device = next(model.parameters()).device
    words = torch.linspace(0, known_to(causal) - 1, 24, device=device).long().view(3, 8)
    return causal(input_ids=words, use_cache=False).logits.float().log_softmax(-1)
