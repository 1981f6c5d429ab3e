"""A line for the person who watches, and the one error that is the user's to mend: others are ours or a reward's."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any


def say(sentence: str) -> None:
    """A line on stderr for the person who watches; that nobody does any more ends nothing."""
    with suppress(OSError):
        print(f"rlft: {sentence}", file=sys.stderr)


class UserError(Exception):
    """Something the user gave cannot work: what was given, what was expected, what to do. The tool exits with 2."""


class Unavailable(UserError):
    """Something that a run needs and does not own, a server, gives no answer. A run stops there as on request, and goes
    on from its last checkpoint when it is back: nothing is made up for what was not answered."""


class Misbehaved(Exception):
    """Code of the user's did what none may do to a run, such as end its process. The tool exits with 1."""


def unknown(kind: str, name: str, names: Sequence[str]) -> UserError:
    """The error for a name that is not among those there are: the nearest of them, or all."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
    return UserError(f"unknown {kind} {name!r}; {hint}")


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error about a name: the nearest ones, and all if they are few."""
    near = difflib.get_close_matches(name, names := sorted(names), n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(near)}?" + (f" There are {', '.join(names)}" if len(names) <= 20 else "")
    return f"; there are {', '.join(names[:40])}{' …' if len(names) > 40 else ''}"


def incapable(method: str, need: type, policy: Any) -> UserError:
    """The error for a policy without a capability of `rlft.types`, whose docstring says what to do."""
    lacks = (need.__doc__ or "").split("\n")[0].replace("The policy", "a policy that")
    return UserError(f"method {method} needs {lacks} {type(policy).__name__} is not one.")


def shown(value: Any) -> str:
    """A value as an error shows it: its type and the beginning of what it is."""
    text = repr(value)
    return f"{type(value).__name__} {text[:60]}{'…' if len(text) > 60 else ''}"
