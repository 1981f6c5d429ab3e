"""Whether what a program printed or returned is what was expected. Both are data; nothing of the program's runs."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST = 60
NOTHING = object()
"""What a text is that is no JSON; equal to nothing."""


def same_text(expected: str, printed: str, tolerance: float = 0.0) -> bool:
    """The same lines, space at their ends and empty lines at the end aside, or word for word the same numbers.

    Numbers are compared as decimals, so 1.50 is 1.5 and 0.1 is not 0.10000000000000001; with a `tolerance` they may
    differ by so much, absolute or relative to the expected one, as Codeforces has it.
    """
    wanted, found = _lines(expected), _lines(printed)
    if wanted == found:
        return True
    if len(wanted) != len(found):
        return False
    return all(_same_line(a, b, tolerance) for a, b in zip(wanted, found, strict=True) if a != b)


def same_value(expected: Any, given: Any, tolerance: float = 0.0) -> bool:
    """Equal as Python has it, part by part, but that True is not 1. Floats may differ by `tolerance`, as above."""
    try:
        return _same(expected, given, tolerance)
    except RecursionError:
        return False


def read_value(text: str) -> Any:
    """The value of a JSON text that a program wrote, `NOTHING` if it is none: also thousands of digits or brackets."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return NOTHING


def _same(expected: Any, given: Any, tolerance: float) -> bool:
    if isinstance(expected, bool) or isinstance(given, bool):
        return expected is given
    if isinstance(expected, int | float) and isinstance(given, int | float):
        return expected == given or (
            (isinstance(expected, float) or isinstance(given, float))
            and abs(expected - given) <= tolerance * max(1.0, abs(expected))
        )
    if isinstance(expected, list) and isinstance(given, list):
        return len(expected) == len(given) and all(_same(a, b, tolerance) for a, b in zip(expected, given, strict=True))
    if isinstance(expected, dict) and isinstance(given, dict):
        return expected.keys() == given.keys() and all(_same(expected[key], given[key], tolerance) for key in expected)
    return type(expected) is type(given) and expected == given


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _same_line(expected: str, printed: str, tolerance: float) -> bool:
    wanted, found = expected.split(), printed.split()
    return len(wanted) == len(found) and all(
        a == b or _same_number(a, b, tolerance) for a, b in zip(wanted, found, strict=True)
    )


def _same_number(expected: str, printed: str, tolerance: float) -> bool:
    if any(len(word) > _LONGEST or not _NUMBER.fullmatch(word) for word in (expected, printed)):
        return False
    a, b = Decimal(expected), Decimal(printed)
    return a == b or abs(a - b) <= Decimal(tolerance) * max(Decimal(1), abs(a))
