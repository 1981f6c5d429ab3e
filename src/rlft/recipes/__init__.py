"""Recipes: one run each, policy + method + task + reward + numbers. A recipe's signature is its command line.

A recipe is a function that returns a `rlft.runs.Run`; the file's name is its name. `train` is the user's own run. A
recipe that tests a paper's claim has a `CLAIM` beside it, whose arms are arguments of the function.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from rlft.errors import UserError, unknown


def names() -> list[str]:
    """Every recipe there is: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def module(name: str) -> ModuleType:
    """The module of the recipe of this name, or of a Python file of your own."""
    if name.endswith(".py"):
        return _from_file(Path(name))
    if name not in names():
        raise unknown("recipe", name, names())
    return importlib.import_module(f"{__name__}.{name}")


def named(name: str) -> Callable[..., Any]:
    """The recipe of this name, or of a file of your own: the function called as the file, or `recipe`."""
    held, stem = module(name), Path(name).stem
    recipe = getattr(held, stem, None) or getattr(held, "recipe", None)
    if recipe is None:
        raise UserError(f"{name} has neither a function {stem!r} nor one called 'recipe' that returns a Run")
    return recipe


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"there is no recipe file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    held = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(held)
    return held
