"""Whether a front gives what the model's own code gives on pixels or samples: tried once, on the first prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from rlft.policies.perception.sight import Sight
from rlft.types import UserError

# How far hidden states may be apart, as a share of their spread: at most, and on average in half precision.
_MOST, _HALF = 1e-3, 0.1


@torch.no_grad()
def prove(model: Any, sight: Sight, prompt: Int[Tensor, "1 L"], told: Mapping[str, Any]) -> None:
    """Compare the states of one prompt; `told` is what the model's own code wants with it. UserError if they differ.

    Versions of `transformers` differ in what a family is told and how; a mistake there trains on nonsense and says
    nothing.
    """
    own = model.base_model(input_ids=prompt, attention_mask=torch.ones_like(prompt), use_cache=False, **told)
    laid = sight.laid(model.get_input_embeddings(), prompt, torch.zeros_like(prompt[:, 0]))
    apart = (sight.reads.states(model, laid, None, None) - own.last_hidden_state).abs()
    spread = own.last_hidden_state.std()
    half = own.last_hidden_state.dtype in (torch.bfloat16, torch.float16)
    if not (apart.mean() <= _HALF * spread if half else apart.max() <= _MOST * spread):
        raise UserError(
            f"{type(model).__name__} is not read as its own code reads it with this version of transformers: hidden "
            f"states are up to {float(apart.max()):.2g} apart, of {float(spread):.2g}; please report it"
        )
