"""Which digit was begun with: easy to check, hard to see. A task for character models that have to search.

Not a reasoning benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlft.noise import hashed
from rlft.tasks.steps import OPERATIONS, conclusion, result
from rlft.types import Problem, Reward, UserError

_SPLITS = ("train", "test")


class Hidden:
    """Questions such as `+4*3-2:1=`: to which digit were 4 added, the sum taken 3 times, 2 taken away, that 1 came out?

    In last digits, and all operations are bijections, so that one digit is right and a guess is so one time in ten. A
    try is a digit and what comes of it, `7131`: 7 it is, for the last is 1. The `demonstration` is this try and the
    answer, `7131=7`; any text may stand before the last `=`, as the reward, `conclusion`, reads what is behind it.
    Splits are two halves of all questions, by a hash: some 1,700 in each of three operations; they come again. Without
    a `size` there is no end.
    """

    def __init__(self, operations: int = 3, size: int | None = None, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"hidden digits have the splits {', '.join(_SPLITS)}; not {split!r}")
        if operations < 1:
            raise UserError(f"operations must be at least 1, not {operations}")
        self.operations, self.split, self.size = operations, split, size
        self.name = f"hidden-{operations}"
        self.reward: Reward = conclusion()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        attempt = 0
        while hashed(drawn := self._drawn(index, attempt)) % 2 != _SPLITS.index(self.split):
            attempt += 1
        kinds, target = asked(drawn)
        digit = next(digit for digit in range(10) if tried(digit, kinds)[-1] == target)
        shown = f"{tried(digit, kinds)}={digit}"
        return Problem(index, drawn, str(digit), {}, self.name, self.split, demonstration=shown)

    def _drawn(self, index: int, attempt: int) -> str:
        draw = hashed(self.name, self.split, index, attempt)
        kinds = "".join(OPERATIONS[hashed(draw, place) % len(OPERATIONS)] for place in range(self.operations))
        return f"{kinds}:{draw % 10}="


def asked(question: str) -> tuple[list[str], str]:
    """The operations of a question and what came out."""
    chain, _, target = question.rstrip("=").partition(":")
    return [chain[place : place + 2] for place in range(0, len(chain), 2)], target


def tried(digit: int, kinds: Sequence[str]) -> str:
    """A try: the digit and what each operation makes of it."""
    told = [digit]
    for kind in kinds:
        told.append(result(told[-1], kind))
    return "".join(map(str, told))


def tries(text: str) -> list[str]:
    """The tries of an answer, which are parted by dots, up to its last `=`."""
    return [part for part in text.rpartition("=")[0].split(".") if part]
