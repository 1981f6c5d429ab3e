"""What the process beside `rewards.mathematics` runs: math-verify on one pair of answers. Not for import elsewhere."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

_COMMAND = re.compile(r"\\[a-zA-Z]+(\s*\{[a-zA-Z ]*\})?")
_WORD = re.compile(r"[a-zA-Z]{3,}")
_FUNCTIONS = {
    "sin",
    "cos",
    "tan",
    "cot",
    "sec",
    "csc",
    "log",
    "exp",
    "sqrt",
    "max",
    "min",
    "arcsin",
    "arccos",
    "arctan",
}


def answer(gold: str, given: str) -> bool | None:
    """Whether `given` equals `gold`; None if there is no mathematics in `gold`."""
    golds = parsed(gold)
    return verify(list(golds), list(parsed(given)), timeout_seconds=None) if golds else None


@lru_cache(maxsize=4096)
def parsed(text: str) -> tuple[Any, ...]:
    """The expressions of a text. One without words and without dollar signs is taken for bare LaTeX."""
    words = [word for word in _WORD.findall(_COMMAND.sub(" ", text)) if word.lower() not in _FUNCTIONS]
    marked = any(sign in text for sign in ("$", r"\boxed", r"\(", r"\["))
    if not words and not marked:
        text = f"${text}$"
    targets = [LatexExtractionConfig(), ExprExtractionConfig()]
    return tuple(parse(text, targets, fallback_mode="no_fallback", parsing_timeout=None))  # type: ignore[arg-type]
