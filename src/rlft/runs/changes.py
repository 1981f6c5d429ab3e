"""What training did to a model's weights, over whole folders.

Each matrix is read, measured and forgotten before the next, so that memory is that of the largest one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rlft.measure.moved import Looking, Moved, moved
from rlft.runs.matrices import Matrices, shared
from rlft.types import UserError


def changes(
    before: str | Path, after: str | Path, second: str | Path | None = None, looking: Looking = Looking()
) -> Iterator[Moved]:
    """Every tensor of floating numbers that the folders share, in order of names.

    Args:
        before, after: a model's folders, or runs', before and after training.
        second: another run from the same start, whose changes are compared with those of the first.
        looking: how.

    Raises:
        UserError: they cannot be read or are not one model, or no name matches.
    """
    models = [Matrices(folder) for folder in (before, after, *([second] if second is not None else []))]
    seen = 0
    for name in shared(models):
        if not re.search(looking.only, name):
            continue
        old, *new = (model[name] for model in models)
        if old.is_floating_point() and old.numel():
            seen += 1
            yield moved(name, old, new, looking)
    if not seen:
        raise UserError(f"no tensor of floating numbers matches --only {looking.only!r}: see the names with --json")
