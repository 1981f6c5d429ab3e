"""Calls as text: `name(1, two=3)` in parts, and functions of a user's file. What the names mean is for the callers.

Arguments are literals; nothing is evaluated. A file of the user's is imported, and so is run.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from rlft.errors import nearest
from rlft.noise import hashed
from rlft.types import UserError


@dataclass(frozen=True)
class Call:
    """`name(1, two=3)` in parts; `called` tells `name()` from `name`."""

    name: str
    arguments: tuple[Any, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    called: bool = False


def parse_call(spec: str) -> Call:
    """`name` or `name(literals, key=literals)`; the name may be anything without brackets."""
    name, bracket, rest = spec.strip().partition("(")
    if not bracket:
        return Call(name)
    try:
        tree = ast.parse(f"f({rest}", mode="eval").body
        if (
            not isinstance(tree, ast.Call)
            or not isinstance(tree.func, ast.Name)
            or any(keyword.arg is None for keyword in tree.keywords)
        ):
            raise ValueError
        arguments = tuple(ast.literal_eval(argument) for argument in tree.args)
        settings = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in tree.keywords}
    except (SyntaxError, ValueError):
        raise UserError(
            f"cannot read {spec!r}: expected name(key=value, …) with numbers, texts, lists as values"
        ) from None
    return Call(name.strip(), arguments, settings, True)


def called(make: Callable[..., Any], call: Call) -> Any:
    """`make` with the call's arguments; wrong ones are a `UserError` that shows the right."""
    check_arguments(make, call)
    return make(*call.arguments, **call.settings)


def check_arguments(make: Callable[..., Any], call: Call) -> None:
    """UserError, with what `make` takes, if it does not take the call's arguments."""
    try:
        inspect.signature(make).bind(*call.arguments, **call.settings)
    except TypeError as error:
        shown = re.sub(r" -> .*", "", str(inspect.signature(make)).replace("'", "").replace("*, ", ""))
        raise UserError(f"{call.name}: {error}; it is {call.name}{shown}") from None


def function_in(path: Path, name: str) -> Callable[..., Any]:
    """A function of a Python file, which is imported; `UserError` with what there is if it has none of this name."""
    if not path.is_file():
        raise UserError(f"there is no file {path}; a function of your own is given as file.py:function")
    module = _imported(path)
    own = {key: f for key, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__}
    if not name:
        raise UserError(
            f"which function of {path}? It has {', '.join(own) or 'none'}: {path}:{next(iter(own), 'function')}"
        )
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"{path} has no function {name!r}{nearest(name, own) if own else ''}")
    return function


def _imported(path: Path) -> ModuleType:
    """The file as a module, imported once; modules beside it can be imported by it."""
    path = path.resolve()
    name = f"rlft_user_{path.stem}_{hashed(path, path.stat().st_mtime_ns):x}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module
