"""Sums, differences and products of small numbers: a task for character models. Not a reasoning benchmark."""

from __future__ import annotations

from math import isqrt

from rlft.noise import hashed, permuted
from rlft.rewards.text import exact
from rlft.types import Problem, Reward, UserError

_SPLITS = {"train": (0, 8), "validation": (8, 9), "test": (9, 10)}  # tenths of all questions


class Arithmetic:
    """Questions such as `12+7=` with the answer `19`; the reward is `exact()`.

    Every unordered pair of numbers of up to `digits` digits makes one question for each of the `operators` (some of
    `+-*`): the order of a sum or product is drawn once, a difference is the larger less the smaller. So no pair of one
    split stands in another, in either order: splits are intervals of one permutation of all questions. With two digits
    and one operator there are 4040 questions in `train`, 505 in `validation` and 505 in `test`.
    """

    def __init__(self, digits: int = 2, operators: str = "+", split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"arithmetic has the splits {', '.join(_SPLITS)}; not {split!r}")
        if not 1 <= digits <= 9:
            raise UserError(f"digits must be from 1 to 9; got {digits}")
        if not operators or set(operators) - set("+-*") or len(set(operators)) < len(operators):
            raise UserError(f"operators must be different ones of '+-*', such as '+-'; got {operators!r}")
        self.operators, self.split = operators, split
        self.name = f"arithmetic-{digits}{operators}"
        numbers = 10**digits
        self._total = numbers * (numbers + 1) // 2 * len(operators)
        start, stop = (self._total * tenths // 10 for tenths in _SPLITS[split])
        self._start, self.size = start, stop - start
        self.reward: Reward = exact()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        number = permuted(self._start + index, self._total, self.name)
        pair, kind = divmod(number, len(self.operators))
        operator, large = self.operators[kind], (isqrt(8 * pair + 1) - 1) // 2
        a, b = large, pair - large * (large + 1) // 2
        if operator != "-" and hashed(self.name, "order", number) % 2:
            a, b = b, a
        question, answer = f"{a}{operator}{b}=", str({"+": a + b, "-": a - b, "*": a * b}[operator])
        columns = {"question": question, "answer": answer}
        return Problem(index, question, answer, columns, task=self.name, split=self.split)
