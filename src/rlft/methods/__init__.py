"""Published methods, one file each: the file's name is the method's name, and its function returns a `Method`
(or an `OffPolicy`, which learns from single steps).

    from rlft.methods.grpo import grpo
    method = grpo(clip=0.2, beta=0.04)

Nothing in this folder knows what a policy is made of. `named` finds a method for the command line.
"""

from __future__ import annotations

import importlib
import pkgutil
import typing
from collections.abc import Callable
from typing import Any

from rlft.errors import unknown


def names(of: type | None = None) -> list[str]:
    """Every method there is: the files of this folder. `of` leaves those whose function returns this type."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in found if of is None or kind(named(name)) is of]


def kind(make: Callable[..., Any]) -> type:
    """What a method's function returns: a `types.Method`, or an `offpolicy.method.OffPolicy`."""
    return typing.get_type_hints(make)["return"]


def named(name: str) -> Callable[..., Any]:
    """The function of the file with this name; an unknown one raises and gives the nearest."""
    if name not in names():
        raise unknown("method", name, names())
    return getattr(importlib.import_module(f"{__name__}.{name}"), name)
