"""Sums of several digits modulo 10, answered with their running totals: a task for character models whose answers
differ in length. Not a reasoning benchmark."""

from __future__ import annotations

from itertools import accumulate

from rlft.noise import hashed, permuted
from rlft.rewards.adapt import each
from rlft.types import Problem, Reward, Text, UserError

_SPLITS = {"train": (0, 8), "validation": (8, 9), "test": (9, 10)}  # tenths of all beginnings
_BEGINNING, _MOST = 5, 5  # numbers that tell the splits apart; the largest number after the first


class WorkedSums:
    """Questions such as `85143....=` with the answer `3481`: 8+5=13, then 14, 18 and 21, of which the last digits.

    The first number is from 0 to 9, the others are from 1 to 5, and there are `shortest` to `longest` of them, filled
    up with dots to `places`, so that the n-th total stands equally far from its number in every question. The first
    five numbers are a question's own: splits are intervals of one permutation of all 6250 beginnings, 5000 in `train`
    and 625 each in `validation` and `test`; how a sum goes on is drawn once. The reward is `last_total()`.
    """

    def __init__(self, shortest: int = 5, longest: int = 10, places: int = 10, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"worked sums have the splits {', '.join(_SPLITS)}; not {split!r}")
        if not _BEGINNING <= shortest <= longest <= places:
            raise UserError(
                f"a sum has at least {_BEGINNING} numbers and room for all: {_BEGINNING} <= shortest <= longest <= "
                f"places; got {shortest}, {longest} and {places}"
            )
        self.shortest, self.longest, self.places, self.split = shortest, longest, places, split
        self.name = f"worked-sums-{shortest}-{longest}"
        self._total = 10 * _MOST ** (_BEGINNING - 1)
        start, stop = (self._total * tenths // 10 for tenths in _SPLITS[split])
        self._start, self.size = start, stop - start
        self.reward: Reward = last_total()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        number = permuted(self._start + index, self._total, "worked-sums")
        count = self.shortest + hashed(self.name, "length", number) % (self.longest - self.shortest + 1)
        numbers = [number % 10]
        numbers += [number // 10 // _MOST**place % _MOST + 1 for place in range(_BEGINNING - 1)]
        numbers += [hashed(self.name, number, place) % _MOST + 1 for place in range(_BEGINNING, count)]
        question = "".join(map(str, numbers)).ljust(self.places, ".") + "="
        answer = "".join(str(total % 10) for total in accumulate(numbers))[1:]
        columns = {"question": question, "answer": answer}
        return Problem(index, question, answer, columns, task=self.name, split=self.split)


def last_total() -> Reward:
    """1 where the last character is that of the answer and the row has ended by itself, else 0.

    How many running totals stand before it, and whether they are right, it does not see.
    """

    def right(problem: Problem, output: str) -> float:
        ended = not (isinstance(output, Text) and output.truncated)
        return float(ended and output[-1:] == str(problem.answer)[-1:])

    return each(right)
