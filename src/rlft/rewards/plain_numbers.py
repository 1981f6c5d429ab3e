"""Plain numbers as people write them, read exactly: decimals of any locale, fractions, percent, units, times, ratios.

Not for expressions: what has an operator, a root, a letter or a second number in it is None here. Texts are those of
`notation.flat`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from rlft.rewards.notation import FUNCTIONS
from rlft.rewards.units import unit

ROUNDED = 1e-6  # the relative error between two numbers of which one is written as a decimal


@dataclass(frozen=True)
class Number:
    """A number that was written out.

    `decimal`: with a decimal point, so perhaps rounded. `percent`: in hundredths. `comma`: its comma may also separate
    two numbers. `letter`: its unit is a letter right behind it, which may also be a variable. `fraction`: a/b.
    """

    value: Fraction
    decimal: bool = False
    percent: bool = False
    comma: bool = False
    letter: bool = False
    fraction: bool = False
    unit: tuple[str, Fraction] | None = None

    def __str__(self) -> str:
        value = float(self.value) if self.decimal and abs(self.value) < 1e300 else self.value
        kind = f" [{self.unit[0]}]" if self.unit else ""
        return f"{value}{'%' if self.percent else ''}{kind}"


_THOUSANDS = r"(?!0)\d{1,3}(?:,\d{3})+|(?!0)\d{1,3}(?: \d{3})+|\d{1,3}(?:['_]\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}"
_INTEGER = rf"(?:(?:{_THOUSANDS}|\d+)(?![\d]))"
_POINT = rf"(?:{_INTEGER}(?:\.\d+|\.(?![\d.]))?|\.\d+)"
_OVER = rf"(?:\\frac\s*\{{\s*([-+]?{_POINT})\s*\}}\s*\{{\s*([-+]?{_POINT})\s*\}}|({_POINT})\s*/\s*({_POINT}))"
_TIMES = r"(?:\\times|\\cdot|\*|x)"
_BAR = r"\\(?:overline|bar|overbar)\s*(?:\{(\d+)\}|(\d))|\((\d+)\)|\\dot\s*\{?(\d)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?"


def _integer(text: str) -> Fraction:
    return Fraction(re.sub(r"[ ,'_]", "", text).rstrip(".") or 0)


def _over(found: re.Match[str]) -> Number | None:
    over, under = (_integer(x) for x in (found[1] or found[3], found[2] or found[4]))
    return Number(over / under, decimal="." in found.group(), fraction=True) if under else None


def _mixed(found: re.Match[str]) -> Number | None:
    over, under = (_integer(x) for x in (found[2] or found[4], found[3] or found[5]))
    return Number(_integer(found[1]) + over / under, fraction=True) if 0 <= over < under else None


def _scientific(found: re.Match[str]) -> Number | None:
    exponent = int(found[2] or found[3] or found[4])
    mantissa = _integer(found[1].replace(",", ".") if re.fullmatch(r"\d,\d+", found[1]) else found[1])
    return Number(mantissa * Fraction(10) ** exponent, decimal="." in found[1]) if abs(exponent) <= 400 else None


def _repeating(found: re.Match[str]) -> Number:
    block = found[3] or found[4] or found[5] or found[6] + (found[7] + found[8] if found[8] else "")
    return Number(_periodic(found[1] or "0", found[2], block))


def _ellipsis(found: re.Match[str]) -> Number:
    """0.1666… repeats its last digits: one digit seen three times or a block seen twice; else it is a decimal."""
    whole, digits = found[1] or "0", found[2]
    if again := re.fullmatch(r"(\d*?)(?:(\d)\2{2,}|(\d{2,}?)\3+)", digits):
        return Number(_periodic(whole, again[1], again[2] or again[3]))
    return Number(Fraction(f"{whole}.{digits}"), decimal=True)


def _periodic(whole: str, fixed: str, block: str) -> Fraction:
    head = Fraction(f"{whole}.{fixed}" if fixed else whole)
    return head + Fraction(int(block), (10 ** len(block) - 1) * 10 ** len(fixed))


def _comma(found: re.Match[str]) -> Number:
    whole, digits = re.sub(r"[ .]", "", found[1]), found[2]
    return Number(Fraction(f"{whole}.{digits}"), decimal=True, comma=re.fullmatch(r"\d+", found[1]) is not None)


def _thousands(found: re.Match[str]) -> Number:
    return Number(Fraction(found[1].replace(".", "")))


def _decimal(found: re.Match[str]) -> Number:
    return Number(_integer(found[0]), "." in found[0])


_POWER = r"10\s*\^\s*(?:\{\s*([-+]?\d+)\s*\}|([-+]?\d+))"
# The notations of a number without its sign and unit. The first that fits the beginning is taken.
_Reader = Callable[["re.Match[str]"], Number | None]
NOTATIONS: tuple[tuple[str, re.Pattern[str], _Reader], ...] = tuple(
    (name, re.compile(pattern), read)
    for name, pattern, read in (
        ("repeating decimal", rf"(\d*)\.(\d*?)(?:{_BAR})", _repeating),
        ("decimal that goes on", r"(\d*)\.(\d+)\s?\\l?c?dots", _ellipsis),
        ("mixed number", rf"({_INTEGER})\s*{_OVER.replace('|(', '|(?<= )(', 1)}", _mixed),
        ("scientific", rf"({_POINT}|\d,\d+)\s*(?:{_TIMES}\s*{_POWER}|[eE]([-+]?\d+))", _scientific),
        ("fraction", _OVER, _over),
        ("points apart thousands, decimal comma", r"(\d{1,3}(?:\.\d{3})+),(\d+)(?![\d,])", _comma),
        ("points apart thousands", r"(\d{1,3}(?:\.\d{3}){2,})(?![\d.,])", _thousands),
        ("spaces apart thousands, decimal comma", r"(\d{1,3}(?: \d{3})+),(\d+)(?![\d,])", _comma),
        ("commas or spaces apart thousands", rf"(?:{_THOUSANDS})(?:\.\d+)?(?![\d,])", _decimal),
        ("decimal comma", r"(\d+),(\d+)(?![\d,])", _comma),
        ("decimal point", r"(?:\d+(?:\.\d+|\.(?![\d.]))?|\.\d+)(?![\d,.])", _decimal),
    )
)

_SIGN = re.compile(r"\s*([-+]?)\s*([A-Z]{0,3}\$|€|£|¥|₹|Rs\.?|USD|EUR)?\s*([-+]?)\s*")
_PERCENT = re.compile(r"\s*(?:%|per ?cent(?:age)?\b(?: points?)?|pct\b)", re.IGNORECASE)
# Words that make another number of the one beside them, or no number at all; others beside a number are dropped.
_CHANGING = """least most more less than greater fewer under over above below up not no non never neither minus plus
    negative half third quarter twice double triple times squared cubed square cube root factorial power divided
    multiplied mod modulo between from to until out or either except without remainder"""
CHANGING = frozenset(_CHANGING.split())
SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
          "万": 10**4, "亿": 10**8}  # fmt: skip
_WORD = r"[^\W\d_]+(?:[.'’/·-][^\W\d_]+)*\.?(?:\^\{?-?\d\}?)?(?:/[^\W\d_]+(?:\^\{?-?\d\}?)?)?"
_WORDS = re.compile(rf"\(?\s*{_WORD}(?:[\s,]+{_WORD})*\s*\)?")
_HEAD = re.compile(r"(?:[^\W\d_]{2,}[\s:,'-]+)+|[^\W\d_a-zA-Z]+\s*")


def number(text: str) -> Number | None:
    """The number that a text is, signs, currency, percent, unit and words around it included; None for all else."""
    if text.isdigit() and len(text) < 400:  # most are
        return Number(Fraction(int(text)))
    if not 0 < len(text) <= 200 or not any(c.isdigit() for c in text):
        return None
    text = _inside(text.strip())
    if (head := _HEAD.match(text)) and harmless(head.group()):
        text = text[head.end() :]
    sign = _SIGN.match(text)
    assert sign is not None
    if sign[1] and sign[3]:
        return None
    for _, pattern, read in NOTATIONS:
        if (found := pattern.match(text, sign.end())) and (value := read(found)):
            return _finished(value, text[found.end() :], "-" in (sign[1], sign[3]), sign[2])
    return None


def _inside(text: str) -> str:
    """Without brackets around all of it: (90), [90], {90}."""
    while len(text) > 2 and text[0] + text[-1] in ("()", "[]", "{}") and not re.search(r"[()\[\]{},;:]", text[1:-1]):
        text = text[1:-1].strip()
    return text


def _finished(value: Number, rest: str, negative: bool, currency: str | None) -> Number | None:
    """The number with what stands before and behind it, unless that makes something else of it."""
    if "\\" in rest:
        rest = re.sub(r"\s*\\cdot\s*(?=[A-Za-z])", "·", rest)
        rest = re.sub(r"\\mu\s*(?=[A-Za-z])", "µ", rest).replace("\\Omega", "ohm")
    parts = {**vars(value), "value": -value.value if negative else value.value}
    if percent := _PERCENT.match(rest):
        rest, parts["percent"] = rest[percent.end() :], True
    if currency:
        parts["unit"] = unit(currency)
    scale = re.match(r"\s*([^\W\d_]+?)s?\b|\s*([万亿])", rest)
    if scale and (by := SCALES.get((scale[1] or scale[2]).lower())):
        rest, parts["value"] = rest[scale.end() :], parts["value"] * by
    if not (tail := rest.strip()):
        return Number(**parts)
    glued, named = not rest[0].isspace(), unit(tail)
    if named is None and not (_WORDS.fullmatch(tail) and harmless(tail) and not (glued and tail.isascii())):
        return None
    if named is None and not any(len(word) > 2 or not word.isascii() for word in re.findall(r"[^\W\d_]+", tail)):
        return None  # 5 x
    parts["unit"] = parts["unit"] or named
    return Number(**{**parts, "letter": glued and len(tail) == 1 and tail.isascii()})


def harmless(text: str) -> bool:
    """Whether no word of a text changes the number beside it; the square of square metres does not."""
    text = re.sub(r"\b(?:square|cubic)\s+(?!root)", " ", text.lower())
    found = re.findall(r"[^\W\d_]+", text)
    return not any(word in CHANGING or word in FUNCTIONS or word in SCALES for word in found)


def equal(gold: Number, given: Number) -> bool:
    """The same number, exactly where both are exact; 50%, 50 and 0.5 are the same unless both are percentages.

    Where one is a decimal they may differ by what Math-Verify rounds, half of the sixth decimal, and by ROUNDED of
    their size. Known units must be of one kind and are converted; a unit that one side lacks is not missed.
    """
    a, b = gold.value, given.value
    if gold.unit and given.unit:
        if gold.unit[0] != given.unit[0]:
            return False
        a, b = a * gold.unit[1], b * given.unit[1]
    if (gold.percent and given.unit) or (given.percent and gold.unit):
        return False
    exact = not (gold.decimal or given.decimal)
    if close(a, b, exact):
        return True
    if gold.percent == given.percent:
        return False
    return close(a / 100, b, exact) if gold.percent else close(a, b / 100, exact)


def close(a: Fraction, b: Fraction, exact: bool) -> bool:
    """Equal, or, unless both are exact, equal to six decimals and to ROUNDED of their size."""
    if a == b:
        return True
    if exact or a.denominator == b.denominator == 1:
        return False
    return round(a, 6) == round(b, 6) and abs(a - b) <= Fraction(ROUNDED).limit_denominator() * max(abs(a), abs(b))


_COLONS = re.compile(
    r"(\d+(?:\.\d+)?)((?:\s?:\s?\d+(?:\.\d+)?){1,3})\s*([AaPp]\.?\s?[Mm]\.?)?(?:\s*(?:o'clock|hours|hrs?|h))?"
)


@dataclass(frozen=True)
class Colons:
    """Numbers between colons: a time of day or a duration (`clock`), else a ratio."""

    parts: tuple[Fraction, ...]
    clock: bool
    half: str  # of the day: am, pm or nothing

    def __str__(self) -> str:
        return ":".join(map(str, self.parts)) + (f" {self.half}" if self.half else "")


def colons(text: str) -> Colons | None:
    """7:05, 12:00 PM, 3:4, 1:2:3; None for all else."""
    if ":" not in text or not (found := _COLONS.fullmatch(text.strip())):
        return None
    written = [found[1], *re.findall(r"[\d.]+", found[2])]
    clock = all(len(part) == 2 and int(part) < 60 for part in written[1:] if part.isdigit()) and "." not in text[:5]
    half = re.sub(r"[^apm]", "", (found[3] or "").lower())
    return Colons(tuple(map(Fraction, written)), clock or bool(half), half)


def same_colons(gold: Colons, given: Colons) -> bool:
    """Times are equal part by part (a half of the day that one lacks is not missed), ratios as proportions."""
    if gold.clock and given.clock:
        a, b = ([float(part) for part in side.parts] for side in (gold, given))
        if gold.half and given.half:
            a[0], b[0] = (x[0] % 12 + 12 * (side.half == "pm") for x, side in ((a, gold), (b, given)))
        elif gold.half or given.half:
            twelve, other = (gold, b) if gold.half else (given, a)
            hour = (a if gold.half else b)[0]
            if other[0] > 12:
                (a if gold.half else b)[0] = hour % 12 + 12 * (twelve.half == "pm")
        return a == b
    if len(gold.parts) != len(given.parts):
        return False
    return all(a * given.parts[0] == b * gold.parts[0] for a, b in zip(gold.parts, given.parts, strict=True)) and any(
        gold.parts
    ) == any(given.parts)
