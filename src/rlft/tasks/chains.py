"""Chains of sums and products of digits, answered with their running totals: a task for character models whose problems
are of several kinds, so that a model can have learned some of them and not others. Not a reasoning benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rlft.noise import hashed
from rlft.rewards.text import exact
from rlft.types import Problem, Reward, UserError

OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "#": lambda a, b: a - b,
}
_SPLITS = ("train", "test")
_MOST = 4  # the largest operand: up to 4 no sum is a difference modulo 10


class Chains:
    """Questions such as `3+4-2*4=`, from left to right, with the answer `750`: 3+4=7, 7-2=5, 5*4=20, last digits.

    A question is of one of the `kinds`, each the operators that it draws from; `columns["kind"]` says which. It has
    `shortest` to `longest` operators and is filled up with dots. `#` is another sign for `-`, for models that have not
    seen it, or think otherwise. The reward is `exact()`, so a guess of n totals is right once in 10^n. Splits are two
    halves of all questions, by a hash; without a `size` there is no end of them.
    """

    def __init__(
        self,
        kinds: Sequence[str] = ("+", "+-", "+-*"),
        shortest: int = 3,
        longest: int = 4,
        size: int | None = None,
        split: str = "train",
    ):
        if split not in _SPLITS:
            raise UserError(f"chains have the splits {', '.join(_SPLITS)}; not {split!r}")
        if not kinds or not all(kind and set(kind) <= set(OPERATORS) for kind in kinds):
            raise UserError(f"kinds are made of the operators {''.join(OPERATORS)}; got {kinds!r}")
        if not 1 <= shortest <= longest:
            raise UserError(f"a chain has an operator: 1 <= shortest <= longest; got {shortest} and {longest}")
        self.kinds, self.shortest, self.longest = tuple(kinds), shortest, longest
        self.name, self.split, self.size = f"chains-{' '.join(kinds)}-{shortest}-{longest}", split, size
        self.reward: Reward = exact()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        attempt = 0
        while (drawn := self._drawn(index, attempt)) and hashed(drawn[1]) % 2 != _SPLITS.index(self.split):
            attempt += 1
        kind, chain = drawn
        asked = chain.ljust(2 * self.longest + 1, ".") + "="
        return Problem(index, asked, totals(chain), {"kind": kind}, self.name, self.split)

    def _drawn(self, index: int, attempt: int) -> tuple[str, str]:
        draw = hashed(self.name, self.split, index, attempt)
        kind = self.kinds[draw % len(self.kinds)]
        count = self.shortest + hashed(draw, "length") % (self.longest - self.shortest + 1)
        steps = (hashed(draw, place) for place in range(count))
        signs = "".join(kind[step % len(kind)] + str(step // len(kind) % _MOST + 1) for step in steps)
        return kind, str(hashed(draw, "first") % 10) + signs


def slips(draw: int, count: int, often: int) -> list[int]:
    """What a careless teacher is off by at each of `count` totals: 1 to 9 at one in so many, else 0."""
    draws = [hashed(draw, place) for place in range(count)]
    return [0 if one % often else one // often % 9 + 1 for one in draws]


def totals(chain: str, off: Sequence[int] = ()) -> str:
    """The running totals modulo 10: those of `3+4-2` are `75`. Each of `off` is added to a total and gone on from."""
    total, found = int(chain[0]), ""
    for place, (operator, operand) in enumerate(zip(chain[1::2], chain[2::2], strict=True)):
        total = (OPERATORS[operator](total, int(operand)) + (off[place] if off else 0)) % 10
        found += str(total)
    return found
