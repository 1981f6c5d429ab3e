"""The mathematics reward: is a completion's last answer equal to the gold answer? Not a judge of the reasoning.

An answer is what stands behind the last of `\\boxed{…}`, `#### …`, `<answer>…</answer>`, "the answer is …"; without one
of them the completion's last number or expression. Plain numbers are compared here, exactly; everything else (LaTeX,
fractions, percentages, intervals, units) by math-verify, in a process beside, so that an expression which takes for
ever costs its row and nothing else, on any thread.
"""

from __future__ import annotations

import importlib.util
import re
from fractions import Fraction
from functools import lru_cache

from rlft.rewards.adapt import each
from rlft.sandbox import SCRIPTS
from rlft.sandbox.child import Child, Unanswered
from rlft.types import Problem, Reward, UserError

_MARKER = re.compile(r"\\(?:boxed|fbox)\s*\{|####|<answer>|\banswer(?:\s+is\b|\s*:|\s*=)", re.IGNORECASE)
_END = re.compile(r"\n|</?\w+>|[.!?](?=\s|$)")  # of an answer in a sentence, or behind ####
_NUMBER = re.compile(r"([-+]?)(?:\\?[$€£¥])?([-+]?)((?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)")
_CALCULATION = re.compile(r"<<[^<>\n]*>>")  # GSM8K notes 6*7 as "= <<6*7=42>>42"
_BOLD = re.compile(r"(?<!\w)\*\*(?=\S)([^*\n]+)\*\*(?!\w)")
# What makes a number part of an expression, before it and after it.
_BEFORE = re.compile(r"(?:[-+*/^_×÷·{(\[\\<>≤≥]|\d[:,])$")
_TERM = re.compile(r"(?:\d|[)\]}]|\b[A-Za-z])\s*$")
_AFTER = re.compile(r"\s*(?:[-+*/^_×÷·=})\]\\%<>≤≥]|,\s*\d|:\d|[A-Za-z]\b|[Pp]er\s?cent|\.\d)|[A-Za-z\d]")
_TAIL = 1000  # characters of a completion without a marked answer that math-verify reads

_verifier = Child(SCRIPTS / "mathematics_child.py")


def math(*, seconds: float = 5.0) -> Reward:
    """1 where the completion's last answer equals the gold answer, else 0.

    The gold answer is a number, LaTeX, or a text that ends in `#### 42` or has a `\\boxed{42}`. Numbers are equal if
    they agree to six decimals. NaN: no gold answer, one without mathematics in it, or a comparison that takes more than
    `seconds` of processor time.
    """
    if importlib.util.find_spec("math_verify") is None:
        raise UserError("the reward math needs math-verify: pip install 'rlft[tasks]'")

    def correct(problem: Problem, output: str) -> float:
        return compared(str(problem.answer), str(output), seconds) if problem.answer is not None else float("nan")

    return each(correct)


def compared(gold: str, output: str, seconds: float) -> float:
    """1, 0 or NaN for one gold answer and one completion."""
    marked = marked_answer(output)
    right, given = _gold(gold), _only_number(marked) if marked is not None else _last_number(output)
    if right is not None and given is not None:
        exact = right.denominator == given.denominator == 1
        return float(right == given if exact else round(right, 6) == round(given, 6))
    if right is not None and not any(c.isdigit() for c in (output if marked is None else marked)):
        return 0.0
    wanted = marked_answer(gold)
    return _verified(gold if wanted is None else wanted, output[-_TAIL:] if marked is None else marked, seconds)


@lru_cache(maxsize=65536)
def _verified(gold: str, given: str, seconds: float) -> float:
    try:
        equal = _verifier.ask(gold, given, seconds=seconds)
    except Unanswered:
        return float("nan")
    return float("nan") if equal is None else float(equal)


def marked_answer(text: str) -> str | None:
    """What stands behind the last marker of an answer; None without one (or with a box that is never closed)."""
    for found in reversed(list(_MARKER.finditer(text))):
        rest = text[found.end() :]
        if found.group().endswith("{"):
            if (inside := _braced(rest)) is not None:
                return inside.strip()
        elif found.group().lower() == "<answer>":
            return rest.partition("</answer>")[0].strip()
        else:
            rest = rest.lstrip(" \t\n:=")
            end = _END.search(rest)
            return (rest[: end.start()] if end else rest).strip()
    return None


def _braced(text: str) -> str | None:
    """Up to the brace that closes one opened before the text."""
    depth = 1
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[:place]
    return None


@lru_cache(maxsize=4096)
def _gold(gold: str) -> Fraction | None:
    marked = marked_answer(gold)
    return _only_number(gold if marked is None else marked)


def _only_number(text: str) -> Fraction | None:
    """The number of a text that holds one, and holds it as such; None leaves it to math-verify."""
    found = list(_NUMBER.finditer(text := _cleaned(text))) if len(text) <= 200 else []
    return _plain(text, found[0]) if len(found) == 1 else None


def _last_number(text: str) -> Fraction | None:
    """The last number of running text; None if it may be part of an expression."""
    found = list(_NUMBER.finditer(text := _cleaned(text[-200:])))
    return _plain(text, found[-1]) if found else None


def _cleaned(text: str) -> str:
    return _BOLD.sub(r"\1", _CALCULATION.sub("", text.replace("−", "-")))


def _plain(text: str, found: re.Match[str]) -> Fraction | None:
    """The number that was found, unless what stands around it makes it part of something else."""
    sign, inner, number = found.groups()
    before, after = text[: found.start()], text[found.end() :].lstrip("$")
    if before[-1:].isalnum() or _BEFORE.search(before.rstrip(" $")) or _AFTER.match(after):
        return None
    if sign and (inner or _TERM.search(before)):  # a difference
        return None
    return Fraction(f"{sign or inner}{number.replace(',', '')}")
