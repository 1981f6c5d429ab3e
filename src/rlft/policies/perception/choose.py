"""Which front a model has, by its class, and with what it is made. Loads no weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from rlft.policies.perception.apart import processor_at
from rlft.policies.perception.blind import Blind
from rlft.policies.perception.front import Front
from rlft.policies.perception.grids import Grids
from rlft.policies.perception.llava import Llava
from rlft.policies.perception.sounds import Qwen2Audio, Windows
from rlft.policies.perception.tiles import Anyres, Crops, Tiles
from rlft.policies.perception.typed import Typed
from rlft.types import UserError

FRONTS: dict[str, type[Front]] = {
    "LlavaForConditionalGeneration": Llava,
    "Qwen2VLForConditionalGeneration": Grids,
    "Qwen2_5_VLForConditionalGeneration": Grids,
    "Qwen3VLForConditionalGeneration": Grids,
    "Idefics3ForConditionalGeneration": Tiles,
    "SmolVLMForConditionalGeneration": Tiles,
    "LlavaOnevisionForConditionalGeneration": Anyres,
    "InternVLForConditionalGeneration": Crops,
    "Gemma3ForConditionalGeneration": Typed,
    "AudioFlamingo3ForConditionalGeneration": Windows,
    "Qwen2AudioForConditionalGeneration": Qwen2Audio,
}


def front_of(model: Any, processor: Any) -> Front | Blind:
    """The front of this model, whose processor (or tokenizer, for one that reads text alone) is given.

    UserError for a model with a tower of a class that is not known, and for a tokenizer where a processor is needed.
    """
    name = type(model).__name__
    if name not in FRONTS:
        towers = {"vision_config", "audio_config"} & set(vars(getattr(model, "config", None) or Blind(None)))
        if towers and not name.endswith("CausalLM"):
            raise UserError(f"{name} has a tower, and is not among the models that are read: {', '.join(FRONTS)}")
        return Blind(getattr(processor, "tokenizer", processor))
    if getattr(processor, "tokenizer", None) is None:
        raise UserError(f"{name} is shown something: give its processor, not {type(processor).__name__} alone")
    return FRONTS[name](processor)


def class_for(architectures: Sequence[str] | None) -> str:
    """The class of `transformers` that loads a model whose configuration names these."""
    return next((name for name in architectures or () if name in FRONTS), "AutoModelForCausalLM")


def adapted(model: Any) -> str:
    """Which modules adapters are put on, as PEFT reads it: all linear layers but the head, of a tower none."""
    if type(model).__name__ not in FRONTS:
        return "all-linear"
    decoder = model.get_decoder()
    place = next(name for name, module in model.named_modules() if module is decoder)
    names = {name.rpartition(".")[2] for name, module in decoder.named_modules() if isinstance(module, nn.Linear)}
    return rf"{re.escape(place)}\.(.*\.)?({'|'.join(sorted(names))})"


def processor_of(model: Any, source: str, tokenizer: Any, trust_remote_code: bool) -> Any:
    """What `front_of` wants of this folder or hub id: the processor, or the tokenizer where nothing is shown."""
    if type(model).__name__ not in FRONTS:
        return tokenizer
    return processor_at(source, tokenizer, trust_remote_code)
