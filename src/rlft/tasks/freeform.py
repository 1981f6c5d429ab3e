"""Sums whose answers can be written in many ways, with an oracle that knows all of them. Not a benchmark of language.

A reference has one of the ways, which nobody can foretell, so that comparing texts says little about who is right.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlft.metrics.readability import in_words
from rlft.noise import hashed
from rlft.rewards.adapt import each
from rlft.types import Problem, Reward, Text, UserError

LARGEST = 9  # of an operand; a sum is at most twice that
KINDS = ("count", "length", "both")
FREE = ("length", "both")
Meaning = tuple[str, frozenset[int]]

_SPLITS = ("train", "test")
_UNITS = {" cm": 1, " centimetres": 1, " mm": 10}
_AND = " and"


def worded(number: int) -> str:
    """A number below twenty in words."""
    return in_words(str(number))


NUMBERS = {f" {spelt}": n for n in range(2 * LARGEST + 1) for spelt in (str(n), worded(n))}
_MILLIMETRES = {f" {10 * n}": 10 * n for n in range(2 * LARGEST + 1)}
# One token each: what problems and answers are made of.
TOKENS = list(dict.fromkeys([*KINDS, " =", *NUMBERS, *_MILLIMETRES, *_UNITS, _AND]))


class Freeform:
    """Questions such as `length 7 5 =`, and references such as ` twelve cm`.

    count    a + b, in digits: one text alone is right
    length   a + b in cm: digits or words, cm or centimetres, or ten times as many mm, in digits
    both     a + b and |a - b|: in either order, in digits or words

    Kinds take turns; `columns["values"]` are the numbers, `columns["kind"]` the kind. The reference is in any of the
    ways, by a hash of question and split. Splits are two halves of all questions, by a hash; they come again. The
    reward, `means_the_same`, is the oracle.
    """

    def __init__(self, split: str = "train", size: int | None = None):
        if split not in _SPLITS:
            raise UserError(f"free-form answers have the splits {', '.join(_SPLITS)}; not {split!r}")
        self.name, self.split, self.size = "freeform", split, size
        self.reward: Reward = means_the_same()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        kind, attempt = KINDS[index % len(KINDS)], 0
        while hashed("half", asked := self._drawn(kind, index, attempt)) % 2 != _SPLITS.index(self.split):
            attempt += 1
        values = answers(asked)
        ways = written(kind, values)
        reference = ways[hashed("reference", asked, index) % len(ways)]
        return Problem(index, asked, reference, {"kind": kind, "values": values}, self.name, self.split)

    def _drawn(self, kind: str, index: int, attempt: int) -> str:
        draw = hashed(self.name, self.split, index, attempt)
        return f"{kind} {draw % (LARGEST + 1)} {draw // 100 % (LARGEST + 1)} ="


def answers(asked: str) -> tuple[int, ...]:
    """The numbers that a question asks for."""
    kind, a, b, _ = asked.split()
    return (int(a) + int(b), abs(int(a) - int(b))) if kind == "both" else (int(a) + int(b),)


def written(kind: str, values: Sequence[int]) -> list[str]:
    """All texts that say these numbers, each once."""
    digits, words = ([f" {spelt(value)}" for value in values] for spelt in (str, worded))
    if kind == "count":
        return digits
    if kind == "length":
        told = [number + unit for number in (digits[0], words[0]) for unit in (" cm", " centimetres")]
        return [*told, f" {10 * values[0]} mm"]
    pairs = [one + _AND + other for spelt in (digits, words) for one, other in (spelt, spelt[::-1])]
    return list(dict.fromkeys(pairs))


def meaning(text: str) -> Meaning | None:
    """What a text says, as kind and numbers (in millimetres); None if it is none of these answers.

    Read on its own, not by looking for it among what is `written`: a pair may mix digits and words, and millimetres may
    be any number.
    """
    parts = [f" {part}" for part in text.split()]
    if len(parts) == 1 and parts[0][1:].isdigit():
        return "count", frozenset({int(parts[0])})
    if len(parts) == 2 and parts[1] in _UNITS:
        known = NUMBERS if parts[1] != " mm" else _MILLIMETRES
        return ("length", frozenset({known[parts[0]] * 10 // _UNITS[parts[1]]})) if parts[0] in known else None
    if len(parts) == 3 and parts[1] == _AND and parts[0] in NUMBERS and parts[2] in NUMBERS:
        return "both", frozenset({NUMBERS[parts[0]], NUMBERS[parts[2]]})
    return None


def means_the_same() -> Reward:
    """The oracle: 1 where a row has ended by itself and says what the reference says, in whatever way, else 0."""

    def right(problem: Problem, output: str) -> float:
        said = meaning(str(output))
        return float(_ended(output) and said is not None and said == meaning(problem.answer))

    return each(right)


def same_text() -> Reward:
    """The rule: 1 where a row has ended by itself and is the reference, word for word, else 0."""
    return each(lambda problem, output: float(_ended(output) and str(output).split() == problem.answer.split()))


def _ended(output: str) -> bool:
    return not (isinstance(output, Text) and output.truncated)
