"""From a folder or a hub id to a model: a whole one, an adapter on its base, or a mix of several. Writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from rlft.policies.language.adapters import check_kind, resize
from rlft.policies.language.folder import (
    ADAPTER,
    MIX,
    as_peft_is,
    base_of,
    dtype_named,
    located,
    peft_library,
    pretrained,
    refuse_pickled,
)
from rlft.policies.language.mixed_causal import MixedCausal, OutsideTopP, member_folder
from rlft.policies.language.tokens.scoring import Causal
from rlft.policies.mix import Weighted
from rlft.policies.perception.choose import class_for
from rlft.types import UserError


def load_model(path: str | Path, dtype: str, trust_remote_code: bool) -> Causal:
    """The model of a folder or a hub id, the base with the adapter of an adapter folder, or a mix; on the CPU."""
    source = located(path)
    if (Path(source) / MIX).is_file():
        return load_mixed(Path(source), dtype, trust_remote_code)
    refuse_pickled(Path(source))
    if not (Path(source) / ADAPTER).is_file():
        told = {"trust_remote_code": trust_remote_code}
        kind = class_for(pretrained("AutoConfig", source, **told).architectures)
        return pretrained(kind, source, dtype=dtype_named(dtype), use_safetensors=True, **told)
    if not (Path(source) / "adapter_model.safetensors").is_file():
        raise UserError(f"the adapter folder {source} has no adapter_model.safetensors: it was not saved to the end")
    base = base_of(Path(source))
    peft = peft_library()
    check_kind(peft.PeftConfig.from_pretrained(source))
    model = load_model(base, dtype, trust_remote_code)
    resize(model, Path(source))
    try:
        with as_peft_is():
            return peft.PeftModel.from_pretrained(model, source, is_trainable=True)
    except (ValueError, RuntimeError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot load the adapter {source} onto its base {base}: {reason:.300}") from error


def load_mixed(folder: Path, dtype: str, trust_remote_code: bool) -> MixedCausal:
    """What `MixedCausal.save_pretrained` wrote."""
    from transformers import GenerationConfig

    facts = json.loads((folder / MIX).read_text())
    models = []
    for place, trained in enumerate(facts["trained"]):
        model = load_model(folder / member_folder(place), dtype, trust_remote_code)
        models.append(model if trained else model.requires_grad_(False))
    top_p = facts["outside_top_p"]
    mix = MixedCausal(models, Weighted(tuple(facts["weights"])), None if top_p is None else OutsideTopP(top_p))
    mix.generation_config = GenerationConfig.from_pretrained(folder)
    return mix
