"""The weights of a model's folder, one tensor at a time: a model of any size is looked at in the memory of a matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from rlft.types import UserError

# Beside a model's own weights; its critic is no part of what it says.
_BESIDE = ("value_head.safetensors",)


class Matrices:
    """Tensors by name, read when asked for, from all files of a model's folder; a run folder's are its model's.

    Raises:
        UserError: there are none, they cannot be read, or they are an adapter's, which is no model by itself.
    """

    def __init__(self, folder: str | Path):
        self.folder = _model(Path(folder))
        self._files: dict[str, Path] = {}
        for file in _files(self.folder):
            try:
                with safe_open(file, "pt") as tensors:
                    self._files |= dict.fromkeys(tensors.keys(), file)
            except (OSError, SafetensorError) as error:
                raise UserError(f"{file} cannot be read: {error}") from error

    def names(self) -> list[str]:
        """All of them, in order."""
        return sorted(self._files)

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def __getitem__(self, name: str) -> Tensor:
        """As it is stored."""
        with safe_open(self._files[name], "pt") as tensors:
            return tensors.get_tensor(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """Without reading it."""
        with safe_open(self._files[name], "pt") as tensors:
            return tuple(tensors.get_slice(name).get_shape())


def shared(models: Sequence[Matrices]) -> Iterator[str]:
    """The names of tensors that all of them have.

    Raises:
        UserError: they share nothing, or a tensor has two shapes: they are not one model before and after.
    """
    names = [name for name in models[0].names() if all(name in other for other in models)]
    for name in names:
        shapes = {other.shape(name): other.folder for other in models}
        if len(shapes) > 1:
            told = " and ".join(f"{' × '.join(map(str, shape))} in {folder}" for shape, folder in shapes.items())
            raise UserError(f"{name} is {told}: they are not one model before and after")
        yield name
    if not names:
        told = " and ".join(str(model.folder) for model in models)
        raise UserError(f"{told} share no tensor: they are not one model before and after")


def _model(folder: Path) -> Path:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: give a model's folder, or that of a run (a hub id: download it)")
    if not (folder / "run.json").is_file():
        return folder
    places = [folder / "model" / "one", folder / "model"]
    if found := next((place for place in places if place.is_dir()), None):
        return found
    raise UserError(f"{folder} is a run folder without a trained model: finish it with rlft train --resume {folder}")


def _files(folder: Path) -> list[Path]:
    if (folder / "adapter_config.json").is_file():
        raise UserError(f"{folder} holds an adapter: add it to its base first, rlft merge {folder} OUT")
    found = [file for file in sorted(folder.glob("*.safetensors")) if file.name not in _BESIDE]
    if found:
        return found
    pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
    why = "its weights are pickled: save them as safetensors" if pickled else "no *.safetensors"
    raise UserError(f"{folder} holds no weights that can be looked at: {why}")
