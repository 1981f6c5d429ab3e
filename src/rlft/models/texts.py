"""What models of `transformers` that read texts have in common: their place, their tokens, their batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rlft.errors import UserError


def placed(dtype: str, device: str | None) -> tuple[torch.dtype, str]:
    """A floating type by its name, and a device: a GPU where there is one and none is named. `UserError` for others."""
    kind, place = getattr(torch, dtype, None), device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not isinstance(kind, torch.dtype) or not kind.is_floating_point:
        raise UserError(f"dtype={dtype!r} is not one of float32, bfloat16, float16, float64")
    return kind, place


def longest(model: Any) -> int:
    """How many tokens a model can read; very many where it does not say."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", 0)) or 1 << 30


def templated(tokenizer: Any, messages: Sequence[Mapping[str, Any]], refused: str, **more: Any) -> list[int]:
    """The tokens of messages by the tokenizer's chat template; `refused` is what to say where that takes them not."""
    try:
        text = tokenizer.apply_chat_template(list(messages), tokenize=False, **more)
    except Exception as error:  # a template may raise what it likes
        raise UserError(f"{refused}: {error}") from error
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def language_model(source: str, dtype: str, device: str | None) -> tuple[Any, Any]:
    """The causal model of a folder or a hub id, without gradient, and its tokenizer; `UserError` for what is none."""
    import transformers

    kind, place = placed(dtype, device)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=kind, use_safetensors=True)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{source} is no language model: {reason:.300}") from error
    return model.to(place).eval().requires_grad_(False), tokenizer


def asked(tokenizer: Any, text: str, whose: str) -> list[int]:
    """The tokens of a text, with a chat template as a user's message that is to be answered; `whose`: a judge's."""
    if not getattr(tokenizer, "chat_template", None):
        return list(tokenizer(text)["input_ids"])
    refused = f"the {whose}'s chat template does not take a message"
    return templated(tokenizer, [{"role": "user", "content": text}], refused, add_generation_prompt=True)


def in_batches(
    rows: Sequence[Sequence[int]], batch: int, once: Callable[[list[Sequence[int]]], Tensor], out: Tensor
) -> Tensor:
    """`out`, a row for each of `rows`, filled by `once`, `batch` at a time, those of like length together."""
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    for start in range(0, len(order), batch):
        some = order[start : start + batch]
        out[torch.tensor(some)] = once([rows[row] for row in some]).cpu()
    return out
