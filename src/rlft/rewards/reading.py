"""What one answer is: a number, a time, a list, words, or an expression that is left to Math-Verify. No verdicts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from fractions import Fraction
from functools import cached_property, lru_cache

from rlft.rewards.answers import mathematical
from rlft.rewards.notation import flat, latex, words
from rlft.rewards.plain_numbers import Colons, Number, colons, harmless, number
from rlft.rewards.units import unit

_RELATION = re.compile(r"[<>]|\\(?:le|ge|ne|in|pm)(?![A-Za-z])")
_GROUPED = re.compile(r"(?<![\d.,(\[])\d{1,3}(?:,\d{3})+(?![\d,])")
_SKIPPED = re.compile(
    r"\\(?:not(?:in)?|su[bp]set\w*|sup|[lc]?dots)(?![A-Za-z])|(?<!\^)\\circ(?![A-Za-z])|(?<![_^\d])\d+\s+\d"
)
_NAME = re.compile(r"\\?[A-Za-z]+(?:_\{?\w+\}?)?(?:\([^()]*\))?|[^A-Za-z]*|(?:[A-Za-z]{3,}\s*)+")
_BASE = re.compile(r"\(?([0-9A-Fa-f]+)\)?_\{?(\d+)\}?")
_THOUSAND = re.compile(r"\d,\d{3}(?!\d)")
_EXACT = Context(prec=80)
_OPEN, _CLOSE = "([{", ")]}"
# Different words for the same answer.
_SYNONYMS = {
    "no solution": r"\emptyset", "no solutions": r"\emptyset", "no real solution": r"\emptyset", "none": r"\emptyset",
    "no real solutions": r"\emptyset", "empty set": r"\emptyset", "the empty set": r"\emptyset", r"\{\}": r"\emptyset",
    "all real numbers": r"\mathbb{R}", "all reals": r"\mathbb{R}", r"(-\infty, \infty)": r"\mathbb{R}",
    r"(-\infty,\infty)": r"\mathbb{R}", "dne": "does not exist", "undefined": "does not exist",
}  # fmt: skip
SAME = frozenset(_SYNONYMS.values())


@dataclass(frozen=True, eq=False)
class Reading:
    """A span and what was read in it. Everything is worked out when it is asked for, once."""

    span: str
    number: Number | None = None

    @cached_property
    def latex(self) -> str:
        """The span in one notation."""
        return latex(self.span)

    @cached_property
    def flat(self) -> str:
        """The same without `\\text`."""
        return flat(self.latex)

    @cached_property
    def key(self) -> str:
        """The same without spaces that part nothing."""
        return re.sub(r"(?<!\w)\s+|\s+(?!\w)", "", self.flat) if " " in self.flat else self.flat

    @cached_property
    def phrase(self) -> str:
        """The same in lower case, one of several ways to say it; nothing for what has neither words nor a name."""
        text = re.sub(r"\s+", " ", self.flat).strip(" .!\"'")
        text = re.sub(r"^(?:x (?:=|\\in)|an?|the)\s+(?=\S)", "", text, flags=re.IGNORECASE)
        return _SYNONYMS.get(text.lower(), text.lower() if self.prose else text if text in SAME else "")

    @cached_property
    def prose(self) -> bool:
        """Whether there are words in it."""
        return bool(words(self.flat))

    @cached_property
    def wordy(self) -> bool:
        """Whether it is words only, an answer that Math-Verify cannot judge."""
        return self.number is None and self.prose and not mathematical(self.flat) and self.phrase not in SAME

    @cached_property
    def result(self) -> Number | None:
        """The number behind the last equals sign of what is no inequality and no list."""
        if "=" not in self.flat or self.items or _RELATION.search(self.flat):
            return None
        left, _, right = self.flat.rpartition("=")
        found = number(right.strip())
        equation = found and found.value == 0 and not _NAME.fullmatch(left.strip())  # 2x + 1 = 0 is no value
        return None if equation else found

    @cached_property
    def colons(self) -> Colons | None:
        """Times and ratios."""
        return colons(self.flat) if self.number is None else None

    @cached_property
    def base(self) -> tuple[str, str] | None:
        """Digits and base of 101_2."""
        found = _BASE.fullmatch(self.flat)
        return (found[1].lower(), found[2]) if found else None

    @cached_property
    def bracketed(self) -> bool:
        """A pair, tuple, interval: order and kind of brackets count."""
        return self.latex[:1] in ("(", "[") and self.latex[-1:] in (")", "]")

    @cached_property
    def items(self) -> tuple[str, ...]:
        """The members of a list without brackets or of a set, if there are several."""
        if self.number and not self.number.comma:
            return ()
        return _split(self.flat)

    @property
    def several(self) -> bool:
        """Whether the answer is more than one value, so that more than one box may hold it."""
        return len(self.items) > 1 or "\\pm" in self.latex

    def numbers(self, count: int) -> list[Number] | None:
        """The members as numbers, itself if it is one; None if one of them is something else.

        A number whose commas may part thousands or members (100,200) is its members if these are as many as asked for.
        """
        members = self.flat.split(",") if not self.items and 1 < count == self.flat.count(",") + 1 else self.items
        if not members:
            return [self.number] if self.number else None
        found = [number(item.strip()) for item in members]
        return [n for n in found if n] if all(found) else None

    @cached_property
    def value(self) -> str:
        """For people."""
        told = self.number or self.result or self.colons
        return str(told) if told else ", ".join(self.items) or self.flat

    @cached_property
    def expression(self) -> str:
        """What Math-Verify is given: LaTeX without units, words around it, money and thousands' commas.

        Nothing where it would skip a sign that matters and read x in A for x not in A, or 10 for 5 5.
        """
        if self.number and not self.number.letter and (plain := _written(self.number)):
            return plain
        text = _bare(self.latex).replace("$", "")
        if _SKIPPED.search(text):
            return ""
        text = _GROUPED.sub(lambda m: m.group().replace(",", ""), text)
        return text.replace("%", r"\%")


@lru_cache(maxsize=65536)
def read(span: str) -> Reading:
    """The reading of a completion's answer."""
    if span.isdigit() and span.isascii() and len(span) < 400:
        return Reading(span, number(span))
    return Reading(span, number(flat(latex(span))))


def read_gold(span: str) -> Reading:
    """The reading of a gold answer, where `2,3` is a list and `3,14` or `0,5` a number."""
    reading = read(span)
    listed = reading.number and reading.number.comma and re.fullmatch(r"-?[1-9]\d*,\d", reading.flat)
    return replace(reading, number=None) if listed else reading


def _split(text: str) -> tuple[str, ...]:
    """At commas outside of brackets; at those before a space, if there are any (1,000, 2,000)."""
    if text.startswith("\\{") and text.endswith("\\}"):
        text = text[2:-2].strip()
    depth, pieces, spaced = 0, [""], ", " in text
    for place, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        apart = text[place + 1 : place + 2] == " " if spaced else not _THOUSAND.match(text, max(place - 1, 0))
        if character == "," and depth == 0 and apart:
            pieces.append("")
        else:
            pieces[-1] += character
    pieces = [piece.strip() for piece in pieces if piece.strip()]
    return tuple(pieces) if len(pieces) > 1 else ()


def _written(number: Number) -> str:
    """A number as LaTeX, whatever its notation was; nothing for one of very many digits."""
    value = number.value
    tiny = number.decimal and 0 < abs(value) < Fraction(1, 10**12)
    if tiny or max(abs(value), value.denominator) > 10**30:
        return ""
    if value.denominator == 1:
        text = f"{value.numerator}{'.0' if number.decimal else ''}"
    elif number.decimal and not number.fraction:
        text = f"{_EXACT.divide(Decimal(value.numerator), Decimal(value.denominator)):f}"
    else:
        text = rf"{'-' if value < 0 else ''}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    if number.percent and "frac" in text:
        return _written(Number(value / 100))
    return text + (r"\%" if number.percent else "")


_UNIT = r"[A-Za-z]+(?:/[A-Za-z]+)?(?:\^\{?[23]\}?)?"
_TEXT = r"\\text\{(?:[^{}]|\{[^{}]*\})*\}(?:\s*\^\s*\{?\d\}?)?"


def _bare(text: str) -> str:
    """Without the unit and the words at its end, and the words at its beginning, unless they change what it means."""
    head = re.match(rf"(?:{_TEXT}\s*|[A-Za-z]{{3,}}(?:\s+|:\s*))+(?=[\w\\(\[|+-])", text)
    if head and _droppable(head.group()):
        text = text[head.end() :]
    while tail := re.search(rf"(?<=[\w}})\]!%|])(?:\s*{_TEXT}\s*[.,]?\s*|\s+{_UNIT})$", text):
        if not _droppable(tail.group()):
            break
        text = text[: tail.start()]
    return text.strip()


def _droppable(text: str) -> bool:
    """Whether these are words and units that say nothing about the number beside them."""
    inside = flat(text).strip(" .,:")
    return harmless(inside) and (unit(inside) is not None or bool(words(inside)))
