"""What a folder or hub id is, told by its files alone: a pipeline of `diffusers`, an adapter of one. Loads nothing."""

from __future__ import annotations

from pathlib import Path

INDEX, WEIGHTS = "model_index.json", "pytorch_lora_weights.safetensors"


def is_pipeline(path: str) -> bool:
    """Whether this is a folder of a pipeline or of an adapter of one, or the hub id of a pipeline."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return (folder / INDEX).is_file() or (folder / WEIGHTS).is_file()
    if folder.exists() or path.count("/") != 1 or path.startswith((".", "/", "~")):
        return False
    from huggingface_hub import hf_hub_download

    try:
        hf_hub_download(path, INDEX)
    except Exception:  # of a language model, or out of reach, which is said where it is loaded
        return False
    return True
