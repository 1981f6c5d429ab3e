"""Formulas of propositions and of small inequalities between natural numbers, read and written as Coq does.

    (p -> x + 2 <= y) -> ~ q \\/ p /\\ False

Letters `p`, `q`, … are propositions; `x + 2 <= y` says that of two numbers of a name each, with a constant added or
none. `~ A` is `A -> False`, and is the same formula.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import final

from rlft.errors import UserError

IMPLIES, AND, OR = "->", "/\\", "\\/"
# Each binds tighter than those before it; all to the right.
_SIGNS = (IMPLIES, OR, AND)
_TOKEN = re.compile(r"\s*(->|/\\|\\/|<=|[~()+]|\d+|[A-Za-z]\w*)")


@final
@dataclass(frozen=True)
class Letter:
    """A proposition of which nothing is known, or `False`."""

    name: str


@final
@dataclass(frozen=True)
class AtMost:
    """`left + plus <= right + more`, of natural numbers."""

    left: str
    plus: int
    right: str
    more: int


@final
@dataclass(frozen=True)
class Joined:
    """Two formulas and what is between them: `->`, `/\\` or `\\/`."""

    sign: str
    left: Formula
    right: Formula


Formula = Letter | AtMost | Joined
FALSE = Letter("False")


def negated(formula: Formula) -> Joined:
    """`~ formula`."""
    return Joined(IMPLIES, formula, FALSE)


def written(formula: Formula, around: str = "") -> str:
    """The formula as Coq reads it, with brackets around all that stands in a formula of another sign."""
    if isinstance(formula, Letter):
        return formula.name
    if isinstance(formula, AtMost):
        text = f"{_sum(formula.left, formula.plus)} <= {_sum(formula.right, formula.more)}"
        return f"({text})" if around == "~" else text
    if formula.sign == IMPLIES and formula.right == FALSE:
        return f"~ {written(formula.left, '~')}"
    text = f"{written(formula.left, '(')} {formula.sign} {written(formula.right, formula.sign)}"
    return text if around in ("", formula.sign) else f"({text})"


def names(formula: Formula) -> list[str]:
    """The names of its letters and numbers, in the order in which they come first; not `False`."""
    if isinstance(formula, Letter):
        found = [formula.name] if formula != FALSE else []
    elif isinstance(formula, AtMost):
        found = [formula.left, formula.right]
    else:
        found = names(formula.left) + names(formula.right)
    return list(dict.fromkeys(found))


def read(text: str) -> Formula:
    """The formula of a text. UserError for one that is none."""
    tokens = _TOKEN.findall(text)
    if re.sub(r"\s", "", text) != "".join(tokens):
        raise UserError(f"a formula has names, numbers and the signs -> /\\ \\/ ~ <= + ( ); got {text!r}")
    try:
        formula, rest = _joined(tokens, 0)
    except IndexError:
        raise UserError(f"the formula {text!r} ends too early") from None
    if rest:
        raise UserError(f"nothing should stand behind a formula; got {' '.join(rest)!r} in {text!r}")
    return formula


def _joined(tokens: list[str], level: int) -> tuple[Formula, list[str]]:
    if level == len(_SIGNS):
        return _single(tokens)
    left, rest = _joined(tokens, level + 1)
    if not rest or rest[0] != _SIGNS[level]:
        return left, rest
    right, rest = _joined(rest[1:], level)
    return Joined(_SIGNS[level], left, right), rest


def _single(tokens: list[str]) -> tuple[Formula, list[str]]:
    first, rest = tokens[0], tokens[1:]
    if first == "~":
        inner, rest = _single(rest)
        return negated(inner), rest
    if first == "(":
        inner, rest = _joined(rest, 0)
        if rest[0] != ")":
            raise UserError(f"a bracket should be closed before {rest[0]!r}")
        return inner, rest[1:]
    if not first[0].isalpha():
        raise UserError(f"a formula begins with a name, ~ or (; got {first!r}")
    plus, after = _added(rest)
    if not after or after[0] != "<=":
        return Letter(first), rest
    more, beyond = _added(after[2:])
    if not after[1][0].isalpha():
        raise UserError(f"behind <= stands a name; got {after[1]!r}")
    return AtMost(first, plus, after[1], more), beyond


def _added(tokens: list[str]) -> tuple[int, list[str]]:
    return (int(tokens[1]), tokens[2:]) if tokens[:1] == ["+"] and tokens[1].isdigit() else (0, tokens)


def _sum(name: str, more: int) -> str:
    return f"{name} + {more}" if more else name
