r"""Where the answer stands in a completion. Not what it means: a span is text, as it was written.

1. What follows the last `</think>`, if anything does, is the completion.
2. The last closed `\boxed{…}`, `<answer>…</answer>` or `#### …` marks the answer; remarks beside it do not count, even
   if they say "answer is". A box that is never closed counts for nothing.
3. Without these, what stands behind the last "the answer is", "answer:" (or "答案是", "respuesta:", …) that an answer
   stands behind, up to the end of the sentence or to a remark ("because …", "and not …").
4. Without any, the last number, formula or expression of the text.

Where several values are asked for, all boxes of a completion together are its answer, unless the last holds several.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rlft.rewards.notation import FUNCTIONS, unified, words
from rlft.rewards.plain_numbers import CHANGING, SCALES
from rlft.rewards.units import unit

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_STRONG = re.compile(r"\\(?:boxed|fbox)\s*\{|####|<answer>", re.IGNORECASE)
_WEAK = re.compile(
    r"\b(?<!this )(?<!that )(?:answer|antwort|respuesta|resposta|r[ée]ponse|risposta|ответ)\b"
    r"(?:\s+(?:to|for|of|in)\b[^.\n:=]{0,60}?)?[*_]*\s*(?:\b(?:is|ist|lautet|es|est|é|è)\b(?:\s*:)?|:|=|—)"
    r"|(?:答案|答え|正解)(?:应该|應該)?\s*(?:是|为|為|は|:|=)+",
    re.IGNORECASE,
)
_WEAK_WORDS = ("answer", "antwort", "respuesta", "resposta", "réponse", "reponse", "risposta", "ответ", "答")
_FORMULA = r"\$\$.+?\$\$|\\\[.+?\\\]|\\\(.+?\\\)|\$(?=\S)[^$\n]*?\S\$(?![\d$])"
_SENTENCE = re.compile(rf"(?:{_FORMULA}|(?!\n|</?\w+>|<\||[.!?](?=[\s*<]|$)).)*", re.DOTALL)
_REMARK = re.compile(
    r"(?:\s*[,;(—–]\s*|\s+)(?:because|since|as|so|which|where|but|not|and not|rather|instead|weil|porque)\b"
    r"|\s+[-–]\s+[a-z]{3,}\b"
    r"|\s*[,;(]?\s*(?:因为|因為|而不是|不是|，因)"
    r"|(?<=[\w})$\]]),\s+(?!and\b|or\b|x\b)[a-z]{2,}\b(?!\s*=)"
)
_HEADING = re.compile(r"(?:step|part|case|stage|solution|chapter)\b", re.IGNORECASE)  # Markdown's ####
_DIGITS = re.compile(r"\d")
_MARKS = 50  # of a completion, its last ones; one that says nothing else has no answer
_TAIL = 1000  # characters of a completion without a mark that are looked at
# A run: numbers, signs, formulas, symbols, and "and" between two of them. What a word is ends it.
_ATOM = (
    rf"(?:{_FORMULA}|\\(?:[A-Za-z]+|[^A-Za-z\s])|\b(?:{'|'.join(FUNCTIONS)})\b|(?<=[\d^*/+=(-])[A-Za-z]{{1,2}}(?![^\W\d_])"
    r"|(?<![^\W\d_])[b-zB-HJ-Z](?![^\W\d_]|['&])|[aA](?=[\^*/+=])|[\d.,:;!?(){}\[\]<>=+*/^_%$€£¥₹|'~-])"
)
_RUN = re.compile(rf"{_ATOM}(?:[ \t]*{_ATOM}|[ \t]+(?:and|or)[ \t]+(?={_ATOM}))*", re.DOTALL)
_BREAK = re.compile(rf"({_FORMULA})|[.?;:]+(?:\s|$)|!\s", re.DOTALL)
_ASIDE = re.compile(r"<<[^<>\n]*>>|<\|\w+\|>|</?[a-z]\w*/?>|\*\*|`", re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """The texts that are an answer (several boxes, or one text; none if there is no answer), and what marked them."""

    texts: tuple[str, ...]
    mark: str

    @property
    def text(self) -> str:
        """As one text."""
        return ", ".join(dict.fromkeys(self.texts))


def anything(text: str) -> bool:
    """For `answer`: every text may be an answer."""
    return bool(text)


def mathematical(text: str) -> bool:
    """For `answer`: an answer has a digit, a formula or a symbol in it."""
    return bool(_DIGITS.search(text)) or any(c in text for c in "$\\=<>∞πℝ∅½") or not words(text)


def answer(completion: str, several: bool = False, may_be: Callable[[str], bool] = mathematical) -> Span:
    """The answer of a completion, see the module; `several`: more than one value is asked for."""
    text = unified(completion)
    before, _, after = text.rpartition("</think>")
    text = after if before and after.strip() else text
    if span := _marked(text, several, may_be):
        return Span(tuple(map(_value, span.texts)), span.mark) if span.mark in ("####", "sentence") else span
    if may_be is not mathematical:
        return Span((text.strip(),), "text")
    last = "" if _BOX.search(text) else _last_expression(text[-_TAIL:], several)
    return Span((last,) if last else (), "text")


def marked_answer(text: str, may_be: Callable[[str], bool] = lambda text: True) -> str | None:
    """What stands behind the last mark of an answer; None without one (or with a box that is never closed)."""
    found = _marked(unified(text), False, may_be)
    return found.texts[-1] if found else None


def _marked(text: str, several: bool, may_be: Callable[[str], bool]) -> Span | None:
    if "\\" in text or "####" in text or "<" in text:
        strong = list(_strong(text, may_be))
        if strong:
            texts, mark = [t for t, m in strong if m == strong[-1][1]], strong[-1][1]
            return Span(tuple(texts) if several else (texts[-1],), mark)
    if not any(word in text.lower() for word in _WEAK_WORDS):
        return None
    for found in reversed(list(_WEAK.finditer(text))[-_MARKS:]):
        inside = _sentence(text[found.end() :])
        if may_be(inside):
            return Span((inside,), "sentence")
    return None


def _strong(text: str, may_be: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    for found in list(_STRONG.finditer(text))[-_MARKS:]:
        rest = text[found.end() :]
        if found.group().endswith("{"):
            if (inside := _braced(rest)) is not None:
                yield inside.strip(), "box"
        elif found.group() == "####":
            if (line := _sentence(rest)) and may_be(line) and not _HEADING.match(line):
                yield line, "####"
        else:
            inside = rest.partition("</answer>")[0].strip()
            nested = _marked(inside, False, may_be) if "answer" in inside.lower() else None
            yield (nested.text if nested else inside), "tag"


def _braced(text: str) -> str | None:
    """Up to the brace that closes one opened before the text."""
    depth = 1
    for found in re.finditer(r"\\[{}]|[{}]", text):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth == 0:
            return text[: found.start()]
    return None


def _sentence(rest: str) -> str:
    """What a text begins with, up to the end of its sentence or to a remark."""
    found = _SENTENCE.match(re.sub(r"^[\s:=_]+|^[\s:=_]*\*+\s+", "", rest))
    line = found.group() if found else ""
    cut = _REMARK.search(line)
    return (line[: cut.start()] if cut and cut.start() else line).strip()


def _value(line: str) -> str:
    """The run that a sentence begins with, else its last; all of it where the words beside that run change it."""
    if not (words(line) and mathematical(line)) or "\\text" in line:
        return line
    runs = [run for run in _RUN.finditer(_ASIDE.sub("", line)) if _valued(run.group())]
    if not runs:
        return line
    run = runs[0] if not words(line[: runs[0].start()]) else runs[-1]
    beside = re.findall(r"[^\W\d_]+", line[: run.start()])[-2:] + re.findall(r"[^\W\d_]+", line[run.end() :])[:2]
    if any(word.lower() in CHANGING or word.lower() in SCALES for word in beside):
        return line
    return _with_unit(run.group().rstrip(" (,;:"), line[run.end() :])


def _with_unit(run: str, rest: str) -> str:
    """The run with the unit that follows it, if it is one that is known."""
    if half := re.match(r"\s*[AaPp]\.?[Mm]\b\.?", rest):
        return run + half.group()
    following = re.match(r"\s*([^\W\d_°]+\S*)(?:\s+([^\W\d_]+\S*))?", rest)
    if not following:
        return run.strip()
    one, two = following[1], f"{following[1]} {following[2] or ''}"
    return next((f"{run.strip()} {name}" for name in (two, one) if unit(name.strip(" .,;:!?*)"))), run).strip()


def _last_expression(text: str, several: bool) -> str:
    """The last run of running text; the last of its numbers, unless several are asked for or it says "and"."""
    text = _ASIDE.sub("", text)
    for start in (max(len(text) - 200, 0), 0):
        for run in reversed(list(_RUN.finditer(text, start))):
            pieces = [p for p in _BREAK.sub(lambda m: m[1] or "\0", run.group()).split("\0") if _valued(p)]
            if pieces:
                ends = " .,;:?/=+<-" + "!" * bool(words(text))  # alone, 5! is a factorial
                last = re.sub(r"^[-*]\s+", "", pieces[-1].strip()).rstrip(ends)
                if not several and not re.search(r"\b(?:and|or)\b|[()\[\]{}\\$]", last):
                    last = re.split(r",\s+", last)[-1]
                return _with_unit(last, text[run.end() :])
    return ""


def _valued(text: str) -> bool:
    return bool(_DIGITS.search(text)) or "\\" in text or re.search(r"\$\s*[^\s$]", text) is not None
