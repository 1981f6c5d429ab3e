"""A bilingual dictionary that a policy may consult in the middle of its row. Not a sandbox, and it writes no file.

Tagged as in Dictionary-guided translation (arXiv:2508.19481): a turn `<query> house old</query>` is answered with the
first matches, and a turn without a query is the last. The answer is a table's, so no process of its own is needed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

from rlft.errors import UserError
from rlft.types import Message, Problem

QUERY, TRANSLATION = ("<query>", "</query>"), ("<answer>", "</answer>")
_WORD = re.compile(r"\w+")
_QUERY = re.compile(f"{QUERY[0]}(.*?)(?:{QUERY[1]}|\\Z)", re.DOTALL)
# Letters that an inflected word and its dictionary form share at least, and their least share of the longer of the two.
_STEM, _SHARE = 4, 0.6

Entry = tuple[str, str]
"""A headword, or a short phrase, and its translation."""


def words_of(text: str) -> list[str]:
    """The words of a text in its order: letters and digits, lower case, no accents (but ü and ñ are plain u and n)."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return _WORD.findall(bare.casefold())


class Dictionary:
    """Entries that are found by a word of their source language.

    An entry that is the word comes before one that has it among others, and that before one whose headword begins as
    it does: at least four letters and three fifths of the longer of the two. More in
    common comes first, and else the order of the entries. Case and accents make no difference.
    """

    def __init__(self, entries: Iterable[Entry]):
        self.entries = list({(tuple(words_of(one)), other.casefold()): (one, other) for one, other in entries}.values())
        self._with: dict[str, list[int]] = {}
        self._stems: dict[str, list[int]] = {}
        self._words = [words_of(source) for source, _ in self.entries]
        for number, words in enumerate(self._words):
            for word in dict.fromkeys(words):
                self._with.setdefault(word, []).append(number)
            if len(words) == 1:
                self._stems.setdefault(words[0][:_STEM], []).append(number)

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, query: str, most: int = 5) -> list[Entry]:
        """At most so many entries for a query, the best first; of several words in it the first counts."""
        asked = words_of(query)
        if not asked:
            return []
        word = asked[0]
        ranks = {number: (int(len(self._words[number]) > 1), 0.0) for number in self._with.get(word, ())}
        for number in self._stems.get(word[:_STEM], ()) if len(word) >= _STEM else ():
            shared = _shared(word, self._words[number][0])
            if number not in ranks and shared >= _SHARE:
                ranks[number] = (2, -shared)
        return [self.entries[number] for number in sorted(ranks, key=lambda n: (ranks[n], n))[:most]]


class Lookup:
    """A dictionary as a `Dialogue`: each turn with a query is answered with a message of matches.

    dictionary  what is looked up
    queries     words that a row may ask for; later ones are not looked up, and the answer is marked as failed
    matches     entries that an answer shows at most; the queries take turns, each with its best first

    An answer is `house: wasi; old: thanta`, or `-` if nothing was found.
    """

    schemas: Sequence[dict] = ()
    stop = (QUERY[1],)

    def __init__(self, dictionary: Dictionary, queries: int = 4, matches: int = 5):
        if min(queries, matches) < 1:
            raise UserError(f"a dictionary that may be consulted has queries and matches; got {queries} and {matches}")
        self.dictionary, self.queries, self.matches = dictionary, queries, matches

    def respond(self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]) -> list[list[Message]]:
        """The matches for the last turn's queries; nothing for a turn without a query."""
        return [self._answer(transcript) for transcript in transcripts]

    def answer(self, words: Sequence[str]) -> str:
        """What is said to these queries."""
        found = [self.dictionary.find(word, self.matches) for word in words]
        dealt = [entry for row in zip_longest(*found) for entry in row if entry is not None]
        shown = list(dict.fromkeys(dealt))[: self.matches]
        return "; ".join(f"{source}: {target}" for source, target in shown) or "-"

    def _answer(self, transcript: Sequence[Message]) -> list[Message]:
        asked = queries(transcript[-1].content)
        if asked is None:
            return []
        before = sum(len(queries(message.content) or ()) for message in transcript[:-1] if message.own)
        allowed = asked[: max(self.queries - before, 0)]
        return [Message("tool", self.answer(allowed), failed=not asked or len(allowed) < len(asked))]


def queries(turn: str) -> list[str] | None:
    """The words that a turn asks for, as it wrote them; None if it asks nothing."""
    found = _QUERY.search(turn)
    return None if found is None else found[1].replace(",", " ").split()


def asking(words: Iterable[str]) -> str:
    """A turn that asks for these words."""
    return f"{QUERY[0]} {' '.join(words)}{QUERY[1]}"


def answering(text: str) -> str:
    """A turn that gives this translation."""
    return f"{TRANSLATION[0]} {text}{TRANSLATION[1]}"


def answered(output: Any) -> str | None:
    """What stands behind the output's `<answer>`; None if nothing does, or if a limit cut it off."""
    _, tag, text = str(output).partition(TRANSLATION[0])
    if not tag or getattr(output, "truncated", False):
        return None
    return text.partition(TRANSLATION[1])[0].strip()


def _shared(one: str, other: str) -> float:
    """The common beginning of two words over the longer of them; 0 if it has fewer than four letters."""
    common = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return common / max(len(one), len(other)) if common >= _STEM else 0.0
