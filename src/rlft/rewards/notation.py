"""One way of writing for what is written in many: a span in LaTeX as Math-Verify reads it. No values, no verdicts.

`unified` is for whole completions (digits and signs of other scripts), `latex` for one answer, `flat` for an answer
without LaTeX's `\\text`. Each table is read from top to bottom.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SIGNS = {
    "−－﹣‐‑–": "-", "＋": "+", "×✕": r"\times ", "·⋅∙": r"\cdot ", "÷∕⁄／": "/", "＝": "=", "≈≃≅": r"\approx ",
    "≤≦⩽": r"\le ", "≥≧⩾": r"\ge ", "≠": r"\ne ", "＜": "<", "＞": ">", "±": r"\pm ", "∓": r"\mp ", "°º": r"^\circ ",
    "∞": r"\infty ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅⌀": r"\emptyset ", "ℝ": r"\mathbb{R}", "π": r"\pi ",
    "（": "(", "）": ")", "［【": "[", "］】": "]", "｛": "{", "｝": "}", "，、": ", ", "。．": ". ", "：∶": ":",
    "；": "; ", "！": "! ", "？": "? ", "％﹪": "%", "＄": "$", "“”„": '"', "‘’′": "'", "٫": ".", "٬": ",",
    "\u00a0\u2007\u2009\u202f\u3000": " ",
    "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "φ": r"\phi ", "λ": r"\lambda ", "∣": "|", "…": "...",
    "\u200b\u2060\ufeff": "",
}  # fmt: skip
_FRACTIONS = {c: unicodedata.normalize("NFKC", c).split("⁄") for c in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
_ALL = map(chr, range(0x80, 0x11000))
_DIGITS = {c: str(unicodedata.decimal(c)) for c in _ALL if unicodedata.decimal(c, None) is not None}
_TABLE = str.maketrans(
    {c: sign for signs, sign in _SIGNS.items() for c in signs}
    | {c: rf"\frac{{{over}}}{{{under}}}" for c, (over, under) in _FRACTIONS.items()}
    | _DIGITS
    | {chr(n): chr(n - 0xFEE0) for n in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
)
_RAISED, _PLAIN = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_POWER = re.compile(f"[{_RAISED}]+")
_ROOT = re.compile(r"√\s*(?:\(([^()]*)\)|\{([^{}]*)\}|(\d+(?:\.\d+)?|[A-Za-z]|))")


@lru_cache(maxsize=4096)
def unified(text: str) -> str:
    """ASCII digits, brackets, punctuation and LaTeX's names of signs for those of other scripts."""
    if text.isascii():
        return text
    text = _POWER.sub(lambda m: "^{" + m.group().translate(_PLAIN) + "}", text)
    text = _ROOT.sub(lambda m: rf"\sqrt{{{m[1] or m[2] or m[3]}}}" if m.group()[1:].strip() else r"\sqrt ", text)
    return text.translate(_TABLE)


_NAMES = """arcsin arccos arctan sinh cosh tanh sin cos tan cot sec csc ln log lg exp sqrt frac max min gcd lcm mod
            det pi"""
FUNCTIONS = tuple(_NAMES.split())
_NAMED = "|".join(name for name in FUNCTIONS if name not in ("frac", "mod", "pi"))
_FONT = r"\\(?:mathrm|mathbf|mathit|mathsf|boldsymbol|bm|operatorname\*?|text(?:bf|it|rm|sf|tt|normal)?|mbox|hbox)"
_INNER = r"\s*\{((?:[^{}]|\{[^{}]*\})*)\}"


def _text(found: re.Match[str]) -> str:
    """Single letters are symbols, e and i too, which Math-Verify would otherwise drop or take for variables."""
    inside = found[1]
    if inside.strip() in FUNCTIONS and inside.strip() not in ("frac", "pi"):
        return rf"\{inside.strip()} "
    symbol = len(inside) == 1 and (inside in "ei" or not found.string[: found.start()].rstrip()[-1:].isdigit())
    return inside if symbol or not re.search(r"[^\W\d_]", inside) else rf"\text{{{inside}}}"


# What is written differently and means the same, in the order in which it is replaced.
_STEPS = [(re.compile(pattern), by) for pattern, by in (
    (r"<<[^<>\n]*>>|</?[A-Za-z]\w*(?:\s[^<>]*)?/?>|`", ""),  # GSM8K notes 6*7 as "= <<6*7=42>>42"; tags
    (r"(?<![\w)}\]*])\*{1,3}(?=\S)([^*\n]+?)(?<=\S)\*{1,3}(?![\w({\\*])", r"\1"),  # emphasis
    (r"(?<![\w)}\]_])_{1,2}(?=[^\s{])([^_\n]+?)(?<=\S)_{1,2}(?![\w{])", r"\1"),
    (r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])\.?", ""),
    (r"\\(?:displaystyle|textstyle|limits|tiny|small|large|Large|bf|rm|it)(?![A-Za-z])", " "),
    (r"(?<=\d)\s?(?:\{,\}|\{\\,\}|\\[,;: !])\s?(?=\d{3}(?!\d))", ""),  # thousands apart
    (r"(?<=\d)\{,\}(?=\d)", "."),  # a decimal comma
    (r"(?<!\\)\\!", ""),
    (r"(?<!\\)\\(?:[,;:> ]|qquad|quad|enspace|thinspace|hspace\{[^{}]*\})|(?<!\\)~|&nbsp;", " "),
    (r"\\[()\[\]](?!\w*\\\\)", " "),  # \( and \)
    (r"\\[dtc]frac", r"\\frac"),
    (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
    (r"\\sqrt\s+(?=[\d{])|\\sqrt(?=\d)", r"\\sqrt "),
    (r"\\sqrt (\d)", r"\\sqrt{\1}"),
    (_FONT + _INNER, _text),
    (r"(?:\^\s*\{?\s*\\circ\s*\}?|\\degree|\\deg(?![a-z]))", r"^\\circ "),
    (r"(?<=\d)(?:\s?\^?\{?\\text\{(?:st|nd|rd|th)\}\}?|(?:st|nd|rd|th)(?![A-Za-z]))", ""),  # ordinals
    (r"\{:\}", ":"),
    (r"\s*\\?%", "%"),
    (r"\\lt(?![A-Za-z])", "<"), (r"\\gt(?![A-Za-z])", ">"),
    (r"\\leq(?:slant|q)?(?![A-Za-z])", r"\\le "), (r"\\geq(?:slant|q)?(?![A-Za-z])", r"\\ge "),
    (r"\\not\s*=|\\neq(?![A-Za-z])|!=", r"\\ne "), (r"<=", r"\\le "), (r">=", r"\\ge "), (r"\+/-", r"\\pm "),
    (r"\\(?:varnothing|empty)(?![A-Za-z])", r"\\emptyset "),
    (r"\\(?:approx|simeq|cong|doteq)(?![A-Za-z])", "="),
    (r"\*\*", "^"),
    (rf"(?<![\\A-Za-z])({_NAMED})(?=[\s(\d^_{{\\])", r"\\\1 "),  # sqrt(2), sin x
    (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"(?<![\\A-Za-z])pi(?![A-Za-z])", r"\\pi "),
    (r"(?<![\\A-Za-z])(?:inf|infinity|oo)(?![A-Za-z])", r"\\infty "),
    (r"(\\(?:sin|cos|tan|cot|sec|csc)\s*[({]?\s*)(\d+(?:\.\d+)?)\s*\^\\circ", r"\1\\frac{\2\\pi}{180}"),
    (r"(?<![A-Za-z\\])([A-Za-z])('+)(?![A-Za-z])", lambda m: m[1] + r"^{\prime}" * len(m[2])),  # f'
    (r"\.\.\.", r"\\ldots "),
    (r"(?<![A-Za-z])([a-z])\s*\\equiv\s*(-?\w+)\s*\(?\\?p?mod\s*\{?(\w+)\}?\s*\)?", r"\1 = \\{\2 + \3 k\\}"),
    (r"\\begin\{(?:cases|aligned|align\*?|array)\}(?:\{[lcr|]*\})?(.*?)\\end\{(?:cases|aligned|align\*?|array)\}",
     lambda m: re.sub(r"\s*,?\s*\\\\\s*", ", ", m[1].replace("&", "")).strip(", ")),
    (r"\\\{\s*([a-z])\s*(?:\\in\s*\\mathbb\{?R\}?\s*)?(?:\\mid|\\vert|\||:)"  # the set of all x with
     r"(?=.*(?:[<>=]|\\[lg]e|\\ne))(.*?)\\\}", r"\2"),
    (r"\s*,?\s*(?:\\text\{\s*(?:and|or)\s*\}|(?<![A-Za-z\\])(?:\\l)?(?:and|or)(?![A-Za-z]))\s*", ", "),
    (r"(?<=\d)\s*[和或与及]\s*(?=[\d-])", ", "),
    (r"^\s*\]([^\[\]]*)\[\s*$", r"(\1)"), (r"^\s*\]([^\[\]]*)\]\s*$", r"(\1]"), (r"^\s*\[([^\[\]]*)\[\s*$", r"[\1)"),
    (r"[ \t\r\n]+", " "),
)]  # fmt: skip


LONGEST = 2000  # characters of an answer
_PLAIN_SPAN = re.compile(r"-?\d+(?:[.,/]\d+)*")


@lru_cache(maxsize=65536)
def latex(span: str) -> str:
    """An answer as LaTeX: without delimiters, emphasis, spacing commands and punctuation at its end."""
    if _PLAIN_SPAN.fullmatch(span) or len(span) > LONGEST:  # most are
        return span
    text = _dollars(unified(span))
    for pattern, by in _STEPS:
        text = pattern.sub(by, text)
    if ";" in text:  # 1,5; 2,5
        text = re.sub(r"(?<=\d),(?=\d)", ".", text).replace(";", ",")
    return text.strip().lstrip("=: ").rstrip(".,;: ")


def _dollars(text: str) -> str:
    r"""Dollar signs that open and close mathematics go; one alone is money, as is `\$`."""
    text = text.replace(r"\$", "\0")
    paired = text.count("$") % 2 == 0
    return text.replace("$", " " if paired else "\0").replace("\0", "$")


_WORDING = re.compile(r"\\text\{((?:[^{}]|\{[^{}]*\})*)\}")


def flat(text: str) -> str:
    r"""`latex` text with the contents of its `\text{…}` as words."""
    return re.sub(r"\s+", " ", _WORDING.sub(r" \1 ", text)).strip() if "\\text" in text else text


def words(text: str) -> list[str]:
    """Words of three letters and more that are no names of functions."""
    bare = re.sub(r"\\(?:begin|end)\{\w+\*?\}|\\[a-zA-Z]+", " ", text)
    return [word for word in re.findall(r"[^\W\d_]{3,}|\b[Nn]o\b", bare) if word.lower() not in FUNCTIONS]


def lettered(span: str) -> tuple[str, str] | None:
    """The letter of a choice and the text behind it: of `B`, `(B)` and `\\text{(B)} 42`; None where there is none.

    Behind a letter without brackets nothing else may stand.
    """
    bare = re.sub(_FONT + r"\s*\{([^{}]*)\}", r"\1", span).strip(" $~.")
    if found := re.fullmatch(r"\(([A-J])\)(?:[\s~:.,\\]+(.*))?", bare, re.DOTALL):
        return found[1], (found[2] or "").strip()
    return (bare, "") if re.fullmatch("[A-J]", bare) else None
