r"""Spans of a text that are masked: where they may stand, how a model is asked for one and for what stood there.

Text alone: no policy, no reward. A span is a stretch of whole words, and what is shown without it has it nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from rlft.types import Problem, UserError

ASKED = (
    "{text}\n\nChoose one word or short phrase of this text that can be worked out from the rest, but not without "
    "thinking. Think about it, then write it exactly as it stands in the text, inside <mask> and </mask>."
)
PREDICTED = (
    "{text}\n\nOne word or phrase of this text has been replaced by {mask} wherever it stood. Think step by step about "
    "what it is, then write it inside <answer> and </answer>."
)
CHOSEN = r"(?s).*<mask>(.*?)</mask>"
WORD = r"\w[\w'’-]*"


class Span(NamedTuple):
    """A stretch of a text, its characters from `begin` to before `end`."""

    begin: int
    end: int


@dataclass(frozen=True)
class Masking:
    """How spans are asked for, found, hidden, and asked back.

    asked      how a span is asked for; {text} stands for the text
    predicted  how what was there is asked for; {text} is the text with the mask, {mask} the mask alone
    mask       what stands in a span's place
    chosen     a regular expression whose group is the span, matched at the beginning of a reply
    word       one for a word; its own groups are not looked at
    longest    words in a span at most
    often      a span that the text has so often or more is none (the authors' 8)
    """

    asked: str = ASKED
    predicted: str = PREDICTED
    mask: str = "[mask]"
    chosen: str = CHOSEN
    word: str = WORD
    longest: int = 5
    often: int = 8

    def __post_init__(self) -> None:
        for name in ("asked", "predicted"):
            if "{text}" not in getattr(self, name):
                raise UserError(f"{name} shows the text where it says {{text}}; got {getattr(self, name)!r}")
        for name in ("chosen", "word"):
            try:
                groups = re.compile(getattr(self, name)).groups
            except re.error as error:
                raise UserError(f"{name} is no regular expression: {getattr(self, name)!r}, {error}") from None
            if name == "chosen" and groups != 1:
                raise UserError(f"chosen needs one group, the span, as {CHOSEN!r} has; got {self.chosen!r}")
        if not self.mask:
            raise UserError("mask is what stands in a span's place, and must not be empty")
        if self.longest < 1 or self.often < 2:
            raise UserError(f"longest is at least 1 word and often at least 2; got {self.longest} and {self.often}")

    def words(self, text: str) -> list[Span]:
        """Its different words that can be hidden, each where it stands first."""
        first: dict[str, Span] = {}
        for span in self._all(text):
            first.setdefault(text[slice(*span)].lower(), span)
        return [span for span in first.values() if self._hideable(text, span)]

    def read(self, text: str, reply: str) -> Span | None:
        """The span that a reply chooses, where it stands first in the text.

        None of a reply that chooses nothing, or what does not stand there verbatim as one to `longest` whole words, or
        stands there `often`, or cannot be hidden.
        """
        found = re.match(self.chosen, reply)
        if found is None or not found[1]:
            return None
        words = self._all(text)
        begins, ends = {word.begin: n for n, word in enumerate(words)}, {word.end: n for n, word in enumerate(words)}
        for place in re.finditer(f"(?={re.escape(found[1])})", text):
            span = Span(place.start(), place.start() + len(found[1]))
            if span.begin in begins and span.end in ends:
                count = ends[span.end] - begins[span.begin] + 1
                return span if 1 <= count <= self.longest and self._hideable(text, span) else None
        return None

    def hidden(self, text: str, span: Span) -> str:
        """The text with the mask wherever the span stands, in capitals or not, also inside a word."""
        return re.sub(re.escape(text[slice(*span)]), lambda found: self.mask, text, flags=re.IGNORECASE)

    def whole(self, problem: Problem) -> Problem:
        """What a prediction is asked with, but with nothing hidden: how long such questions are."""
        return self._asked(problem, self.predicted, text_of(problem))

    def question(self, problem: Problem) -> Problem:
        """The problem that asks for a span of the text, with noise of its own."""
        return replace(self._asked(problem, self.asked, text_of(problem)), task=f"{problem.task}/mask", answer=None)

    def prediction(self, problem: Problem, span: Span, number: int) -> Problem:
        """The problem that asks what stood there; `number` tells the spans of one text apart, in their noise too."""
        text = text_of(problem)
        asked = self._asked(problem, self.predicted, self.hidden(text, span))
        return replace(asked, task=f"{problem.task}/masked-{number}", answer=text[slice(*span)], demonstration=None)

    def _all(self, text: str) -> list[Span]:
        return [Span(*found.span()) for found in re.finditer(self.word, text) if found.group()]

    def _hideable(self, text: str, span: Span) -> bool:
        said = text[slice(*span)].lower()
        return text.lower().count(said) < self.often and said not in self.hidden(text, span).lower()

    def _asked(self, problem: Problem, template: str, text: str) -> Problem:
        told = {"{text}": text, "{mask}": self.mask}
        # not `format`: a text may have braces of its own
        said = re.sub(r"\{text\}|\{mask\}", lambda found: told[found[0]], template)
        return spoken(problem, said)


def text_of(problem: Problem) -> str:
    """The text of a problem: its prompt, of chat messages the last; `UserError` where it is not words alone."""
    said = problem.input if isinstance(problem.input, str) else problem.input[-1]["content"]
    if not isinstance(said, str):
        raise UserError(f"problem {problem.index} of {problem.task} is not a text, whose words could be masked")
    return said


def spoken(problem: Problem, said: str) -> Problem:
    """The problem with these words in place of its text."""
    if isinstance(problem.input, str):
        return replace(problem, input=said)
    return replace(problem, input=[*problem.input[:-1], {**problem.input[-1], "content": said}])
