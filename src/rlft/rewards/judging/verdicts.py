"""From a judge's words to a number, or to none: every pattern that is read is here. Nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rlft.errors import UserError

SOFT = "p(yes)"
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
# Not the beginning of a longer number, and not one end of a range such as 3-5.
_ENDS = r"(?![\w]|\.\d|\s*[-–]\s*\d)"
_SCORE = re.compile(rf"\bscore\b[\s*_`:=]*(?:is\b[\s*_`:=]*)?({_NUMBER}){_ENDS}", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\s*\{([^{}]*)\}")
_WORDS = {"yes": 1.0, "no": 0.0}


@dataclass(frozen=True)
class Reading:
    """How a verdict is read from a reply.

    score    the number behind the last `Score:`
    boxed    what is in the last `\\boxed{}`, a number or yes or no
    yes      1 for yes and 0 for no, as the reply's first or last word, where these do not contradict one another
    p(yes)   p(yes) / (p(yes) + p(no)), of the first token that is either, by the log-probabilities the server sends
    else     a regular expression with one group: a number, or yes or no, at its last match

    What a reply says within `<think>` … `</think>` is not read. A number below `least` or above `most` is none.
    """

    form: str = "score"
    least: float = 0.0
    most: float = 1.0

    def __post_init__(self) -> None:
        if not self.least < self.most:
            raise UserError(f"a verdict lies between least={self.least} and most={self.most}: give least < most")
        if self.form not in (*_FORMS, SOFT) and _pattern(self.form).groups != 1:
            raise UserError(
                f"reads={self.form!r}: expected {', '.join([*_FORMS, SOFT])}, or a regular expression with one group "
                r"around what is read, such as 'Grade: (\d+)'"
            )

    def of(self, reply: str) -> float | None:
        """The verdict of a whole reply; None where none can be read."""
        text = said(reply)
        if text is None:
            return None
        value = _FORMS[self.form](text) if self.form in _FORMS else _last(_pattern(self.form), text)
        return value if value is not None and self.least <= value <= self.most else None


def said(reply: str) -> str | None:
    """What follows the last thought; None where a thought is not ended."""
    _, closed, rest = reply.rpartition("</think>")
    text = rest if closed else reply
    return None if "<think>" in text else text


def _pattern(form: str) -> re.Pattern[str]:
    try:
        return re.compile(form, re.IGNORECASE)
    except re.error as error:
        raise UserError(f"reads={form!r} is no regular expression: {error}") from None


def _last(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.findall(text)
    return _value(found[-1]) if found else None


def _value(text: str) -> float | None:
    text = text.strip().strip("*_`$").strip()
    if re.fullmatch(_NUMBER, text):
        return float(text)
    return _WORDS.get(text.lower().rstrip("."))


def _yes(text: str) -> float | None:
    words = re.findall(r"\w+", text.lower())
    found = {_WORDS[word] for word in (words[:1] + words[-1:]) if word in _WORDS}
    return found.pop() if len(found) == 1 else None


_FORMS: dict[str, Callable[[str], float | None]] = {
    "score": lambda text: _last(_SCORE, text),
    "boxed": lambda text: _last(_BOXED, text),
    "yes": _yes,
}
