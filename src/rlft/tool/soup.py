"""`rlft soup`: the mean of models that were fine-tuned from one start. No training."""

from __future__ import annotations

from pathlib import Path

import tyro

from rlft.models.soup import soup as averaged
from rlft.runs.folder import refuse_taken, written_whole
from rlft.types import UserError


def soup(models: tyro.conf.Positional[tuple[str, ...]], out: Path) -> int:
    """Average the weights of models that were fine-tuned from the same start (a model soup), all counting the same.

    Args:
        models: two or more run folders or folders of whole models, of language or of pictures; no adapters.
        out: a new folder.
    """
    refuse_taken(out)
    runs = [Path(model).expanduser() for model in models]
    folders = [run / "model" if (run / "run.json").is_file() else run for run in runs]
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise UserError(f"{missing[0]} is no folder; models to be averaged lie on this machine, and runs are finished")
    with written_whole(out) as beside:
        count = averaged(folders, beside)
    print(f"{out}: the mean of {count} tensors of {len(folders)} models")
    return 0
