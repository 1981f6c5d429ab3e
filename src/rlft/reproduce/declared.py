"""What the recipes claim now: whether one does, and the digest of its claim. Reads recipes; runs and judges nothing.

Whether a recipe declares a claim is read off its syntax. The digest needs the recipe itself, and with it PyTorch, so it
is kept between calls, for exactly these sources: a claim may rest on any of them (the default of a method's argument).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import json
import os
from pathlib import Path

from rlft.cache import cache_dir

PACKAGE = Path(__file__).parents[1]
RECIPES = PACKAGE / "recipes"


def has_recipe(key: str) -> bool:
    """Whether there is a recipe of this name."""
    return (RECIPES / f"{key}.py").is_file()


def declares(key: str) -> bool:
    """Whether the recipe assigns a module variable `CLAIM`. It is parsed, not imported."""
    if not has_recipe(key):
        return False
    tree = ast.parse((RECIPES / f"{key}.py").read_text(encoding="utf-8"))
    assigned = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    assigned += [node.target for node in tree.body if isinstance(node, ast.AnnAssign) and node.value is not None]
    return any(isinstance(target, ast.Name) and target.id == "CLAIM" for target in assigned)


def claims() -> list[str]:
    """The recipes that declare a claim."""
    return [path.stem for path in sorted(RECIPES.glob("*.py")) if declares(path.stem)]


def digest(key: str) -> str | None:
    """The digest of the recipe's claim as it is now; None without one."""
    if not declares(key):
        return None
    kept = _kept()
    if key not in kept:
        module = importlib.import_module(f"rlft.recipes.{key}")
        kept[key] = module.CLAIM.digest(getattr(module, key))
        _keep(kept)
    return kept[key]


def _kept() -> dict[str, str]:
    """The digests found by earlier calls with the same sources."""
    try:
        found = json.loads(_file().read_text())
        return found["digests"] if found["sources"] == _sources() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # nothing kept, or nothing that can be read: the recipe is asked


def _keep(digests: dict[str, str]) -> None:
    beside = _file().with_name(f".claims.{os.getpid()}")
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps({"sources": _sources(), "digests": digests}))
        beside.replace(_file())
    except OSError:
        return  # a home that cannot be written costs time and nothing else


def _file() -> Path:
    return cache_dir() / "claims.json"


@functools.cache
def _sources() -> str:
    """A hash of every source of the package."""
    found = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        found.update(f"{path.relative_to(PACKAGE)}\n".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
