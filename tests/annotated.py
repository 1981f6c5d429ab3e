"""Every call of the library is held to its annotations while the tests run: the shapes and the types.

The import hook of `jaxtyping` (`--jaxtyping-packages` in `pyproject.toml`) decorates every function with what stands
here instead of with its own `jaxtyped`. The checks are the same: `beartype` on the arguments before the call, and on
what is returned after it, with one memory of sizes for both. But a call whose arguments look like those of an earlier
call (of the same types, tensors of the same shapes) is not checked again, which takes a fraction of the time; and of a
function whose last calls have all looked like earlier ones not every call is looked at, unless `attentive`. Not for
sizes that are worked out from arguments' attributes (`"{self.size}"`), of which there are none.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import threading
import typing
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jaxtyping
import numpy as np
import torch
from beartype.door import is_bearable

_jaxtyped = jaxtyping.jaxtyped
_LOOKED_AT = 2  # elements of a container; beartype looks at one
_CALM = 32  # calls that looked like earlier ones: then one of two is looked at, after as many again one of three
_MOST = 15  # calls that are passed over between two that are looked at
_sparing = True


@contextmanager
def attentive() -> Iterator[None]:
    """Every call is looked at: for tests of what a wrong call of an often called function raises."""
    global _sparing
    _sparing = False
    try:
        yield
    finally:
        _sparing = True


def annotated(decorated: Any = None, *, typechecker: Any = None) -> Any:
    """In the place of `jaxtyping.jaxtyped(typechecker=...)`: a decorator of functions, their kinds, and classes."""
    if decorated is None:
        return annotated
    if inspect.isclass(decorated):  # as jaxtyping does: what a dataclass is made of is checked
        if dataclasses.is_dataclass(decorated) and decorated.__init__.__globals__ is not globals():
            decorated.__init__ = _function(decorated.__init__)
        return decorated
    if isinstance(decorated, classmethod | staticmethod):
        return type(decorated)(_function(decorated.__func__))
    if isinstance(decorated, property):
        return property(*(f and _function(f) for f in (decorated.fget, decorated.fset, decorated.fdel)))
    return _function(decorated)


def _function(function: Callable[..., Any]) -> Callable[..., Any]:
    if not function.__annotations__:
        return function
    right: set[Hashable] = set()
    calm = passed = 0  # calls in a row that looked like earlier ones; calls since one was looked at

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calm, passed
        if calm >= _CALM and passed < min(calm // _CALM, _MOST) and _sparing:
            passed += 1
            return function(*arguments, **named)
        calm, passed = calm + 1, 0
        look = _looking(function)
        given = (*map(look, arguments), *named, *map(look, named.values())) if named else (*map(look, arguments),)
        if given not in right:
            calm = 0
            if _check(function, arguments, named):
                right.add(given)
        returned = function(*arguments, **named)
        both = (given, look(returned))
        if both not in right:
            calm = 0
            if _check(function, arguments, named, returned):
                right.add(both)
        return returned

    return call


def _look(value: Any) -> Hashable:
    """What of a value an annotation can be about, but for which string it is."""
    looked_at = _LOOKED.get(type(value))
    return type(value) if looked_at is None else looked_at(value, _look)


def _look_at_words(value: Any) -> Hashable:
    """And which string, for `Literal`: one of a few, where it is short."""
    if type(value) is str:
        return value[:8]
    looked_at = _LOOKED.get(type(value))
    return type(value) if looked_at is None else looked_at(value, _look_at_words)


def _array(value: Any, look: Any) -> Hashable:
    return type(value), value.dtype, value.shape


def _several(value: Any, look: Any) -> Hashable:
    return type(value), *map(look, value[:_LOOKED_AT])


def _named(value: Any, look: Any) -> Hashable:
    return dict, *((type(name), look(its)) for name, its in itertools.islice(value.items(), _LOOKED_AT))


_LOOKED: dict[type, Callable[[Any, Any], Hashable]] = {
    **dict.fromkeys((torch.Tensor, torch.nn.Parameter, np.ndarray), _array),
    **dict.fromkeys((list, tuple), _several),
    dict: _named,
    type: lambda value, look: value,
}


@functools.cache
def _looking(function: Callable[..., Any]) -> Callable[[Any], Hashable]:
    """Strings of problems are all different: they are told apart only by functions that are about some of them."""
    return _look_at_words if any(map(_names_words, _hints(function)[1].values())) else _look


def _names_words(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.Literal or any(map(_names_words, typing.get_args(hint)))


_NOTHING = object()
_here = threading.local()


def _check(function: Callable[..., Any], arguments: tuple, named: Mapping[str, Any], returned: Any = _NOTHING) -> bool:
    """Whether it was checked. Not within a check of this thread: what is collected as garbage there may be finalized by
    a function of the library, and `beartype` would wait for a lock that the check around it holds."""
    if getattr(_here, "checking", False):
        return False
    _here.checking = True
    try:
        _checked(function, arguments, named, returned)
    finally:
        _here.checking = False
    return True


def _checked(function: Callable[..., Any], arguments: tuple, named: Mapping[str, Any], returned: Any) -> None:
    signature, hints = _hints(function)
    bound = signature.bind(*arguments, **named).arguments
    if returned is not _NOTHING:
        bound = {**bound, "return": returned}
    with _jaxtyped("context"):
        for name, value in bound.items():
            if name not in hints:
                continue
            kind = signature.parameters[name].kind if name in signature.parameters else None
            each = {inspect.Parameter.VAR_POSITIONAL: list, inspect.Parameter.VAR_KEYWORD: dict.values}.get(kind)
            for one in each(value) if each else [value]:
                if not is_bearable(one, hints[name]):
                    text = f"{function.__module__}.{function.__qualname__}: {name} is {_look(one)}, not {hints[name]}; "
                    seen = {of: _look(its) for of, its in bound.items()}
                    raise jaxtyping.TypeCheckError(f"{text}of sizes that agree among {seen}")


@functools.cache
def _hints(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Any]]:
    """The signature, and the annotations as types; one that cannot be read at run time says nothing."""

    def holder(value): ...

    hints = {}
    for name, annotation in function.__annotations__.items():
        holder.__annotations__ = {"value": annotation}
        try:
            hints[name] = typing.get_type_hints(holder, function.__globals__, include_extras=True)["value"]
        except Exception:  # of a name that is imported for its type alone, or of one inside a function
            continue
    return inspect.signature(function), hints
