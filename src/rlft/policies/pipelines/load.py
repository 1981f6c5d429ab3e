"""From a folder or a hub id to a policy that draws: a whole pipeline, or an adapter on its base. Writes nothing."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from rlft.policies.pipelines.drawing import Drawing, Window
from rlft.policies.pipelines.family import Family
from rlft.policies.pipelines.folder import Origin, Reading, base_of, load_adapter, read, with_lora
from rlft.policies.pipelines.known import INDEX, WEIGHTS
from rlft.policies.pipelines.pipeline import Pipeline
from rlft.types import UserError

# By the name of the class in `diffusers`: the file of this folder and the class in it.
FAMILIES = {
    "StableDiffusionPipeline": ("stable_diffusion", "StableDiffusion"),
    "StableDiffusion3Pipeline": ("stable_diffusion_3", "StableDiffusion3"),
    "FluxPipeline": ("flux", "Flux"),
    "Kandinsky5T2IPipeline": ("kandinsky5", "Kandinsky5"),
    "Kandinsky5T2VPipeline": ("kandinsky5", "Kandinsky5Film"),
    "QwenImagePipeline": ("qwen_image", "QwenImage"),
    "WanPipeline": ("wan", "Wan"),
}


def load(
    path: str | Path,
    drawing: Drawing = Drawing(),
    window: Window = Window(),
    reading: Reading = Reading(),
    *,
    lora: int | None = None,
    recompute: bool = False,
) -> Pipeline:
    """A policy from a folder (a whole pipeline, or an adapter that names its base) or a hub id.

    lora        rank of new adapters, the base frozen; None trains all weights of the network. An adapter's folder goes
                on with its own, and `lora` must be its rank or None
    recompute   see `Pipeline`; the network's layers recompute their activations as well

    Raises `UserError` for a pipeline of another family, and for an adapter of which nothing fits.
    """
    folder = Path(path).expanduser()
    held = (folder / WEIGHTS).is_file() and not (folder / INDEX).is_file()
    source = base_of(folder) if held else str(path)
    _known(_class_in(Path(source)))
    family = family_of(read(source, reading), drawing)
    if held:
        rank = load_adapter(family, folder)
        if lora not in (None, rank):
            raise UserError(f"{folder} holds an adapter of rank {rank}, and lora={lora} was asked for; leave it out")
        lora = rank
    elif lora is not None:
        with_lora(family, lora)
    else:
        family.network.requires_grad_(True)
    if recompute:
        family.network.enable_gradient_checkpointing()  # type: ignore[operator]
    return Pipeline(family, drawing, window, origin=Origin(source, lora), recompute=recompute)


def family_of(pipe: Any, drawing: Drawing = Drawing()) -> Family:
    """The family that this pipeline is of; UserError for one that there is none for."""
    file, name = _known(type(pipe).__name__)
    return getattr(importlib.import_module(f"rlft.policies.pipelines.{file}"), name)(pipe, drawing)


def _known(name: str | None) -> tuple[str, str]:
    if name is not None and name not in FAMILIES:
        raise UserError(f"{name} is not one of the pipelines that can be trained: {', '.join(FAMILIES)}")
    return FAMILIES[name] if name else ("", "")


def _class_in(folder: Path) -> str | None:
    """What a folder says it holds, before its weights are read; None of a hub id."""
    file = folder / INDEX
    if not file.is_file():
        return None
    return json.loads(file.read_text()).get("_class_name")
