"""Pipelines in folders: read with `diffusers`, with adapters or whole, and written so that `diffusers` reads them.

A folder holds a whole pipeline (`model_index.json`), or an adapter, `pytorch_lora_weights.safetensors`, beside which
`adapter_config.json` names the pipeline that it was trained on. Nothing here runs remote code or unpickles.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rlft.policies.language.folder import ADAPTER, Loading, as_peft_is, dtype_named, peft_library
from rlft.policies.language.reference import Lent, untouched
from rlft.policies.language.remembered import remember
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import Family
from rlft.policies.pipelines.known import WEIGHTS
from rlft.types import Policy, UserError


@dataclass(frozen=True)
class Reading:
    """How a pipeline is read.

    Args:
        dtype: of the weights: float32, bfloat16, float64.
        device: cpu, cuda, cuda:1; a GPU where there is one.
    """

    dtype: str = "float32"
    device: str | None = None

    @property
    def place(self) -> str:
        """The device by its name; UserError for one that is not here."""
        return Loading(self.dtype, self.device).place


@dataclass(frozen=True)
class Origin:
    """Where a pipeline was read: a folder or hub id; and the rank of its adapters, if it has any."""

    path: str | None = None
    lora: int | None = None


def diffusers_library() -> Any:
    """diffusers, or the sentence that says how to get it."""
    try:
        import diffusers
    except ImportError as error:
        raise UserError("a pipeline needs diffusers: pip install 'rlft[diffusers]'") from error
    return diffusers


def base_of(folder: Path) -> str:
    """The pipeline that an adapter's folder was trained on; UserError where it does not say or it is gone."""
    file = folder / ADAPTER
    base = json.loads(file.read_text()).get("base_model_name_or_path") if file.is_file() else None
    if not base or (Path(base).is_absolute() and not Path(base).is_dir()):
        raise UserError(
            f"the adapter {folder} needs the pipeline it was trained on, {base or 'which it does not name'}: put it "
            f"there, or write in {file} where it is (base_model_name_or_path)"
        )
    return base


def read(source: str, reading: Reading) -> Any:
    """The pipeline of a folder or hub id, its parts frozen; UserError where it cannot be read."""
    diffusers = diffusers_library()
    folder = Path(source).expanduser()
    if folder.is_dir() and any(folder.glob("*/*.bin")) and not any(folder.glob("*/*.safetensors")):
        raise UserError(f"the weights in {folder} are pickled, which may run code when they are read; convert them")
    try:
        with _quiet():
            pipe = diffusers.DiffusionPipeline.from_pretrained(
                str(folder) if folder.is_dir() else source, dtype=dtype_named(reading.dtype), use_safetensors=True
            )
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ImportError) as error:
        raise UserError(f"cannot load the pipeline {source}: {' '.join(str(error).split()):.300}") from error
    pipe.to(reading.place)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False).eval()
    return pipe


def with_lora(family: Family, rank: int) -> None:
    """Low-rank adapters at the attention layers of the network (Hu et al. 2021, arXiv:2106.09685), which start at 0.

    W + (alpha / rank)·B·A with alpha = 2·rank.
    """
    if rank < 1:
        raise UserError(f"the LoRA rank is {rank}; it must be at least 1")
    peft, core = peft_library(), family.network
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=list(family.adapted))
    with torch.random.fork_rng(devices=[]), as_peft_is():
        torch.manual_seed(0)
        core.add_adapter(config)  # type: ignore[operator]


def load_adapter(family: Family, folder: Path) -> int:
    """Read an adapter onto the network, to be trained further; its rank. UserError if nothing of it was read."""
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, "pt") as held:
        wanted = sum(1 for _ in held.keys())  # noqa: SIM118 - no dict
    peft_library()
    try:
        family.pipe.load_lora_weights(str(folder), weight_name=WEIGHTS)
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        raise UserError(f"cannot load the adapter {folder}: {' '.join(str(error).split()):.300}") from error
    read = [weight for name, weight in family.network.named_parameters() if "lora_" in name]
    if len(read) != wanted or not any(bool(weight.any()) for weight in read):
        raise UserError(
            f"{len(read)} of the {wanted} tensors of the adapter {folder} fit this pipeline's network, and a model "
            "with part of an adapter is neither; was it trained on another pipeline, or saved without its prefix?"
        )
    for weight in read:
        weight.requires_grad_(True)
    return next(iter(family.network.peft_config.values())).r  # type: ignore[union-attr,operator]


def save(family: Family, core: nn.Module, origin: Origin, drawing: Drawing, folder: Path) -> None:
    """The whole pipeline around this network, or its adapter and where its base is; UserError where that is unknown."""
    pipe: Any = family.pipe
    folder.mkdir(parents=True, exist_ok=True)
    if origin.lora is None:
        own = getattr(pipe, family.core)
        setattr(pipe, family.core, core)
        try:
            pipe.save_pretrained(folder)
        finally:
            setattr(pipe, family.core, own)
    else:
        _save_adapter(pipe, family.core, core, origin, folder)
    remember(folder, _told(drawing, family))


def _save_adapter(pipe: Any, part: str, core: Any, origin: Origin, folder: Path) -> None:
    """Without its config a saved adapter forgets alpha, and acts otherwise where it is loaded."""
    from peft.utils import get_peft_model_state_dict

    told = next(iter(core.peft_config.values())).to_dict()
    config = {name: sorted(value) if isinstance(value, set) else value for name, value in told.items()}
    weights = {name: weight.contiguous().cpu() for name, weight in get_peft_model_state_dict(core).items()}
    pipe.save_lora_weights(folder, **{f"{part}_lora_layers": weights, f"{part}_lora_adapter_metadata": config})
    if origin.path is None:
        raise UserError("the adapter's pipeline was never saved, so a folder could not name it: save it, load it again")
    base = str(Path(origin.path).resolve()) if Path(origin.path).is_dir() else origin.path
    text = json.dumps({**config, "base_model_name_or_path": base}, indent=1, default=str)
    (folder / ADAPTER).write_text(text + "\n")


def _told(drawing: Drawing, family: Family) -> dict[str, Any]:
    """How it was drawn, for whoever draws with it next."""
    told = {
        "denoising_steps": drawing.denoising_steps,
        "guidance": family.guidance,
        "negative": drawing.negative or None,
        "num_frames": None if family.rate is None else family.frames,
    }
    return {**told, "height": family.height, "width": family.width, "text_tokens": drawing.text_tokens}


class _Adapters:
    """A network's adapters as `Lent` switches them."""

    def __init__(self, core: Any):
        self.core = core

    def parameters(self) -> Iterator[nn.Parameter]:
        """Those of the network."""
        return self.core.parameters()

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """The base alone."""
        self.core.disable_adapters()
        try:
            yield
        finally:
            self.core.enable_adapters()


def switched(policy: Policy, core: Any) -> Lent | None:
    """The policy as it is now by way of its adapters; None without any."""
    if not any("lora_" in name for name, _ in core.named_parameters()):
        return None
    return Lent(policy, _Adapters(core), untouched(core))


@contextmanager
def _quiet() -> Iterator[None]:
    """What diffusers says while it loads is about its own next versions, and the tool has bars of its own."""
    from diffusers.utils import logging
    from transformers.utils import logging as theirs

    before = [(one, one.get_verbosity()) for one in (logging, theirs)]
    for one in (logging, theirs):
        one.set_verbosity_error()
        one.disable_progress_bar()
    try:
        yield
    finally:
        for one, verbosity in before:
            one.set_verbosity(verbosity)
