"""Small programs asked for in words: what is done to a list, step by step, for models of a few thousand words. Not a
benchmark of programming.

    negate; sort; ; ; ;         def f(lists):
                                    made = []
                                    for x in lists:
                                        x = [-n for n in x]
                                        x = sorted(x)
                                        made.append(x)
                                    return made

An answer is Python source, and is judged by running it: a row has its tests in the form of APPS, for the reward
`programs`. One call has all the lists that a program is tried on, the same for every problem, so a program costs one
process and is run once whatever it was written for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from rlft.noise import hashed
from rlft.types import Problem, UserError

Numbers = list[int]


@dataclass(frozen=True)
class Operation:
    """What is done to a list: how common it is (a, b, c), its line of Python, and the same as a function."""

    kind: str
    line: str
    does: Callable[[Numbers], Numbers]


def _c(line: str, does: Callable[[Numbers], Numbers]) -> Operation:
    return Operation("c", line, does)


OPERATIONS: Mapping[str, Operation] = {
    "sort": Operation("a", "sorted(x)", sorted),
    "reverse": Operation("a", "x[::-1]", lambda x: x[::-1]),
    "double": Operation("a", "[2 * n for n in x]", lambda x: [n + n for n in x]),
    "add one": Operation("a", "[n + 1 for n in x]", lambda x: [1 + n for n in x]),
    "drop the first": Operation("a", "x[1:]", lambda x: x[1:]),
    "keep the even": Operation("a", "[n for n in x if n % 2 == 0]", lambda x: [n for n in x if not n & 1]),
    "negate": Operation("b", "[-n for n in x]", lambda x: [-1 * n for n in x]),
    "square": Operation("b", "[n * n for n in x]", lambda x: [n**2 for n in x]),
    "every other": Operation("b", "x[::2]", lambda x: [n for place, n in enumerate(x) if not place & 1]),
    "drop the last": Operation("b", "x[:-1]", lambda x: x[: max(len(x) - 1, 0)]),
    "running sums": _c("[sum(x[: i + 1]) for i in range(len(x))]", lambda x: [*accumulate(x)]),
    "running maxima": _c("[max(x[: i + 1]) for i in range(len(x))]", lambda x: [*accumulate(x, max)]),
    "differences": _c("[b - a for a, b in zip(x, x[1:])]", lambda x: [-a + b for a, b in pairwise(x)]),
    "rotate": _c("x[1:] + x[:1]", lambda x: [*x[1:], *x[:1]]),
    "swap halves": _c("x[len(x) // 2 :] + x[: len(x) // 2]", lambda x: [*x[len(x) // 2 :], *x[: len(x) // 2]]),
    "distinct": _c("list(dict.fromkeys(x))", lambda x: [n for i, n in enumerate(x) if n not in x[:i]]),
    "twice each": _c("[n for n in x for _ in range(2)]", lambda x: [m for n in x for m in (n, n)]),
    "largest first": _c("sorted(x, reverse=True)", lambda x: sorted(x)[::-1]),
    "times place": _c("[i * n for i, n in enumerate(x)]", lambda x: [i * x[i] for i in range(len(x))]),
    "minus the first": _c("[n - x[0] for n in x]", lambda x: [-x[0] + n for n in x]),
    "every third": _c("x[::3]", lambda x: [n for place, n in enumerate(x) if place % 3 == 0]),
    "ranks": _c("[sorted(x).index(n) for n in x]", lambda x: [sum(m < n for m in x) for n in x]),
}
# The kinds of operations that a problem of a level has, in an order of its own.
LEVELS: Mapping[int, str] = {1: "a", 2: "aa", 3: "aab", 4: "aacc", 5: "abccc"}
HARD = (4, 5)
_LONGEST = max(map(len, LEVELS.values()))
HEAD = "def f(lists):\n    made = []\n    for x in lists:\n"
LINES: Mapping[str, str] = {name: f"        x = {operation.line}\n" for name, operation in OPERATIONS.items()}
TAIL = "        made.append(x)\n    return made\n"
# One token each: what is asked, what fills it up, and the parts of programs.
WORDS = (*(f"{name}; " for name in OPERATIONS), "; ", HEAD, *LINES.values(), TAIL)
LISTS: tuple[tuple[int, ...], ...] = (
    (3, 8, 1, 4, 4, 7, 2),
    (5, 0, 9, 6, 2, 2),
    (-4, 7, 10, 3, -1, 8, 6, 3),
    (2, 1, 12, 6, 9),
    (7, 7, 4, -6, 5, 11, 4, 8, 1),
    (0, 0, 3, -2, 2, 5, 5, 6, 10, 12),
    (1, 1, 2, 2, 3, 3, 4, 4, 6, 6, 8, 8, 5, 10),
    (10, 4, 2, 8, 6, 0, 12, 4, 2, 6, -8, 14, 10),
    (-3, 3, 0, -6, 6, 2, -2, 4, 8, 8, 12, 1, -9, -9),
    (4, 4, 12, 2, 0, 6, 18, 10, 4, 8, 6, 2, 2, 16),
    (-8, -9, -5, -5, -2, 1, -3, 4, 0, 2, -1),
    (9, -7, 4, 4, 13, 0, 6, -2, 11, 8, 3, -5, 7, 2, 12, 1, -9, 10, 5, 5, -1, 14, -6, 8, 20, 3, -4, 16, 0),
    (6, 12, 3, 12, 0, -5, 12, 7, -5),
    (6,),
    (),
)
_SPLITS = ("train", "test")


class Lists:
    """Problems of some levels: level k has k operations, the hard ones, 4 and 5, two or three of kind c.

    A problem's answer is one right program; there are others. Columns: `level`, `operations`, and `input_output`, its
    test. The levels come up equally often, and one that is listed twice twice as often. Splits are two halves of all
    sequences of operations, by a hash. Without a `size` there is no end of problems, though low levels have few.
    """

    def __init__(self, levels: Sequence[int] = tuple(LEVELS), size: int | None = None, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"lists have the splits {', '.join(_SPLITS)}; not {split!r}")
        if not levels or not set(levels) <= set(LEVELS):
            raise UserError(f"levels are some of {', '.join(map(str, LEVELS))}; got {levels!r}")
        self.levels, self.split, self.size = tuple(levels), split, size
        self.name = f"lists-{''.join(map(str, self.levels))}"

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        attempt = 0
        while hashed("half", drawn := self._drawn(index, attempt)) % 2 != _SPLITS.index(self.split):
            attempt += 1
        columns = {"level": len(drawn), "operations": list(drawn), "input_output": tried(drawn)}
        return Problem(index, asked(drawn), program(drawn), columns, self.name, self.split)

    def _drawn(self, index: int, attempt: int) -> tuple[str, ...]:
        kinds = LEVELS[self.levels[hashed(self.name, self.split, index) % len(self.levels)]]
        draw = hashed(self.name, self.split, index, attempt)
        ranks = sorted(range(len(kinds)), key=lambda place: hashed(draw, "order", place))
        found = []
        for place in ranks:
            names = [name for name, operation in OPERATIONS.items() if operation.kind == kinds[place]]
            found.append(names[hashed(draw, "operation", place) % len(names)])
        return tuple(found)


def asked(operations: Sequence[str]) -> str:
    """What is to be done, in words, filled up so that all questions are equally long."""
    return "".join(f"{name}; " for name in operations) + "; " * (_LONGEST - len(operations))


def program(operations: Sequence[str]) -> str:
    """The source that does it."""
    return HEAD + "".join(LINES[name] for name in operations) + TAIL


def made(operations: Sequence[str], numbers: Sequence[int]) -> Numbers:
    """What these operations make of a list."""
    found = list(numbers)
    for name in operations:
        found = OPERATIONS[name].does(found)
    return found


def tried(operations: Sequence[str]) -> dict[str, object]:
    """The test of a program, in the form of APPS: one call with all lists, and what it must return."""
    lists = [list(numbers) for numbers in LISTS]
    return {"inputs": [[lists]], "outputs": [[made(operations, numbers) for numbers in lists]], "fn_name": "f"}
