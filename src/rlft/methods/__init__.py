"""Published methods, one file each: the file's name is the method's name, and its function returns a `Method`.

    from rlft.methods.grpo import grpo
    method = grpo(clip=0.2, beta=0.04)

Nothing in this folder knows what a policy is made of. `named` finds a method for the command line.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from rlft.errors import unknown

if TYPE_CHECKING:
    from rlft.types import Method


def names() -> list[str]:
    """Every method there is: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def named(name: str) -> Callable[..., Method]:
    """The function of the file with this name; an unknown one raises and gives the nearest."""
    if name not in names():
        raise unknown("method", name, names())
    return getattr(importlib.import_module(f"{__name__}.{name}"), name)
