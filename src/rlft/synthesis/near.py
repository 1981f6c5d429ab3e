"""Problems that are there already: equal ones, and such as share a run of words with what must stay unseen."""

from __future__ import annotations

import re
from collections.abc import Iterable

WORDS = 13
"""A run of so many words is one too many, as in Brown et al. 2020 (arXiv:2005.14165), appendix C."""


def words_of(text: str) -> tuple[str, ...]:
    """Its words and numbers, without case and punctuation; signs of formulas are words."""
    return tuple(re.findall(r"\w+|[^\w\s.,;:!?'\"()]", text.casefold()))


class Unseen:
    """Texts that nothing may repeat: equal in all words, or with a run of `words` of them in common. A text that is
    shorter than that is compared as a whole."""

    def __init__(self, texts: Iterable[str], words: int = WORDS):
        self.words, self._runs = words, set[tuple[str, ...]]()
        for text in texts:
            self._runs.update(self._of(text))

    def repeats(self, text: str) -> bool:
        """Whether a text does."""
        return not self._runs.isdisjoint(self._of(text))

    def _of(self, text: str) -> set[tuple[str, ...]]:
        said = words_of(text)
        if len(said) <= self.words:
            return {said}
        return {said[at : at + self.words] for at in range(len(said) - self.words + 1)}
