"""Words to be written backwards, with answers by a careless teacher. The reward knows better than the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlft.noise import hashed
from rlft.types import Problem, Reward, UserError

LETTERS = "abcdefghij"
_SPLITS = ("train", "test")


class Reversal:
    """Words of `length` letters, `bdac=`, and as the answer the word backwards with slips: any letter in its place.

    A letter of an answer is a slip with probability `slip`, and then one of the others, so a share (1 - slip)^length of
    the answers is right. `columns["right"]` is the word backwards without slips, which `reward` compares with: 1 for
    exactly that, else 0. Splits are two halves of all words, by a hash; there is no end of problems.
    """

    size = None

    def __init__(self, length: int = 10, slip: float = 0.1, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"reversal has the splits {', '.join(_SPLITS)}; not {split!r}")
        if length < 1 or not 0 <= slip <= 1:
            raise UserError(f"length must be at least 1 and slip a share, not {length} and {slip}")
        self.name, self.split, self.length, self.slip = f"reversal-{length}", split, length, slip
        self.reward: Reward = written_backwards

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        attempt = 0
        while (word := self._word(index, attempt)) and hashed(self.name, word) % 2 != _SPLITS.index(self.split):
            attempt += 1
        right = word[::-1]
        answer = "".join(self._copied(index, place, letter) for place, letter in enumerate(right))
        return Problem(index, f"{word}=", answer, {"right": right}, task=self.name, split=self.split)

    def _word(self, index: int, attempt: int) -> str:
        number = hashed(self.name, self.split, index, attempt)
        return "".join(LETTERS[number // len(LETTERS) ** place % len(LETTERS)] for place in range(self.length))

    def _copied(self, index: int, place: int, letter: str) -> str:
        number = hashed("slip", self.name, self.split, index, place)
        if number % 10**6 >= self.slip * 10**6:
            return letter
        others = [other for other in LETTERS if other != letter]
        return others[number // 10**6 % len(others)]


def written_backwards(problems: Sequence[Problem], outputs: Sequence[Any]) -> list[float]:
    """1 for the word backwards, letter for letter, else 0."""
    return [float(str(output) == problem.columns["right"]) for problem, output in zip(problems, outputs, strict=True)]
