"""The trained model of a run folder: written beside and renamed, so there is a whole one or none. Trains nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_model

from rlft.types import Savable, UserError

SAVING = ".model.writing"
WEIGHTS = "weights.safetensors"
_OLD = ".model.old"


def save_model(policy: Savable, folder: Path, finish: Callable[[Path], None] = lambda model: None) -> None:
    """Write `model` into a run folder, in place of one that is there; `finish` adds to it what else belongs there.

    `UserError` if it cannot be written; then an earlier one is as it was, and nothing is left of the new one.
    """
    target, beside, old = folder / "model", folder / SAVING, folder / _OLD
    try:
        for path in (beside, old):
            if path.exists():  # of a run that was killed while it saved
                shutil.rmtree(path)
        policy.save(beside)
        if not beside.exists():  # a pair of which neither can be saved
            return
        finish(beside)
        if target.exists():
            target.rename(old)
        beside.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors report a full device as theirs
        shutil.rmtree(beside, ignore_errors=True)
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(
            f"could not save the model to {target}: {why}. The training is done and in the checkpoints: mend it, such "
            f"as by freeing some space, then save it with `rlft train --resume {folder}`"
        ) from error


def load_weights(policy: Any, folder: Path) -> None:
    """The `weights.safetensors` of a run folder, or of its `model`, into a policy that is built in the same way.

    `UserError` where there is none, or where it is of another network.
    """
    file = next((f for f in (folder / "model" / WEIGHTS, folder / WEIGHTS) if f.is_file()), None)
    if file is None:
        raise UserError(f"{folder} holds no model/{WEIGHTS}: it is no finished run of a network of your own")
    try:
        load_model(policy, file)
    except (RuntimeError, SafetensorError) as error:
        told = " ".join(str(error).split())
        raise UserError(f"{file} does not fit this policy, build it as it was trained: {told:.300}") from error
