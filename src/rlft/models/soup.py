"""Averages of weights: model soups (Wortsman et al. 2022, arXiv:2203.05482), of one model that was fine-tuned in
several ways from the same start. Nothing here trains, or asks whether the average is any good.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.types import UserError

Weights = dict[str, Tensor]
_ADAPTERS = ("adapter_model.safetensors", "pytorch_lora_weights.safetensors")


def average(parts: Sequence[tuple[Mapping[str, Tensor], float]]) -> Weights:
    """sum_i share_i weight_i of the same names, added up in float64; what is no float is the first's."""
    first = parts[0][0]
    if any(weights.keys() != first.keys() for weights, _ in parts):
        raise UserError("weights of other names cannot be averaged: are they of the same model?")
    if name := next((n for n, w in first.items() for held, _ in parts if held[n].shape != w.shape), None):
        shapes = [tuple(held[name].shape) for held, _ in parts]
        raise UserError(f"{name} has the shapes {shapes}, and only weights of one shape can be averaged")
    made = {}
    for name, weight in first.items():
        total = sum((held[name].double() * share for held, share in parts), torch.zeros((), dtype=torch.float64))
        made[name] = total.to(weight.dtype) if weight.is_floating_point() else weight.clone()
    return made


def soup(folders: Sequence[Path], out: Path) -> int:
    """The mean of the weights in model folders, in a new folder; how many tensors that were.

    Every `.safetensors` file is averaged with those of the same place in the other folders, one file at a time; all
    else is the first folder's. `UserError` for fewer than two folders, for folders with other files or tensors, and for
    adapters, whose mean is no mean of what they do: merge them into their base first.
    """
    if len(folders) < 2:
        raise UserError(f"an average is of at least two folders, not {len(folders)}")
    files = [_weights_in(folder) for folder in folders]
    for folder, found in zip(folders[1:], files[1:], strict=True):
        if found != files[0]:
            raise UserError(f"{folder} has the weights {_told(found)}, and {folders[0]} has {_told(files[0])}")
    shutil.copytree(folders[0], out, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
    count = 0
    for file in files[0]:
        mean = average([(load_file(folder / file), 1 / len(folders)) for folder in folders])
        save_file(
            {name: weight.contiguous() for name, weight in mean.items()}, out / file, _metadata(folders[0] / file)
        )
        count += len(mean)
    return count


def _weights_in(folder: Path) -> list[str]:
    found = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.safetensors"))
    if not found:
        raise UserError(f"{folder} holds no .safetensors file; give a folder of a whole model")
    if any(Path(file).name in _ADAPTERS for file in found):
        raise UserError(
            f"{folder} holds an adapter: the mean of low-rank factors is not that of their products; "
            "make whole models of them first (rlft merge)"
        )
    return found


def _told(files: Sequence[str]) -> str:
    return ", ".join(files[:4]) + (" …" if len(files) > 4 else "")


def _metadata(file: Path) -> dict[str, str] | None:
    with safe_open(file, "pt") as held:
        return held.metadata()
