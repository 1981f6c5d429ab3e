"""Where base models that the library builds for itself are kept. Not for the user's checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Built = TypeVar("Built")


def cache_dir() -> Path:
    """`$RLFT_CACHE`, else `$XDG_CACHE_HOME/rlft`, else `~/.cache/rlft`."""
    if chosen := os.environ.get("RLFT_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rlft"


def cached(name: str, build: Callable[[], Built], save: Callable[[Built, Path], object], load: Callable[[Path], Built]):
    """What `load` finds under `name`, else what `build` makes, saved there in one rename.

    `name` must say everything that the result depends on (kind, size, seed, a version that is raised when the recipe
    changes). Two processes may build the same thing at once: the first to finish stays.
    """
    path = cache_dir() / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        save(build(), beside)
        if not path.exists():
            beside.replace(path)
    return load(path)
