"""Problems of levels that are answered step by step: a task for character models whose thoughts differ in length and
help. A level is a number of operations; who names the result at once has to guess. Not a reasoning benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from rlft.noise import hashed
from rlft.rewards.adapt import each
from rlft.types import Problem, Reward, Text, UserError

LETTERS = "abcdefgh"
_SPLITS = ("train", "test")
# All of them are bijections of the digits, so that every result is as likely as any other whatever was done to a digit.
OPERATIONS = ("+1", "+2", "+3", "-1", "-2", "*3", "*7")


@dataclass(frozen=True)
class Step:
    """One step as it is told: its letter, the digit that it starts from and the one that it comes to."""

    letter: str
    start: int
    result: int

    def __str__(self) -> str:
        return f"{self.letter}{self.start}{self.result}"


class Steps:
    """Questions such as `7a+4b*3c-2...=`: 7+4, times 3, less 2, in last digits; the result is 1.

    `columns["level"]` is the number of operations, one of `levels`; all questions are filled up with dots to `places`
    operations. The `demonstration` is the shortest thought, `a71b13c31=1`: each step's letter, what it starts from and
    what it comes to, and behind `=` the answer. Any thought may stand there, longer or none: the reward, `conclusion`,
    reads what is behind the last `=`. Every result is equally likely whatever the operations, so a guess is right one
    time in ten at every level. Splits are two halves of all questions, by a hash: some 35 in each at level 1, 245 at
    level 2, and seven times as many at every further one; they come again. Without a `size` there is no end.
    """

    def __init__(
        self, levels: Sequence[int] = (1, 2, 3, 4, 5, 6), size: int | None = None, places: int = 6, split: str = "train"
    ):
        if split not in _SPLITS:
            raise UserError(f"steps have the splits {', '.join(_SPLITS)}; not {split!r}")
        if not levels or min(levels) < 1 or max(levels) > places or places > len(LETTERS):
            raise UserError(
                f"a level is a number of operations from 1 to places, at most {len(LETTERS)}; got levels {levels!r} "
                f"and places {places}"
            )
        self.levels, self.places, self.split, self.size = tuple(levels), places, split, size
        self.name = f"steps-{'-'.join(map(str, self.levels))}-{places}"
        self.reward: Reward = conclusion()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`; levels take turns."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        level, attempt = self.levels[index % len(self.levels)], 0
        while hashed(chain := self._drawn(index, level, attempt)) % 2 != _SPLITS.index(self.split):
            attempt += 1
        asked = chain.ljust(1 + 3 * self.places, ".") + "="
        thought = told(chain)
        return Problem(
            index,
            asked,
            str(thought[-1].result),
            {"level": level},
            self.name,
            self.split,
            demonstration=written(thought),
        )

    def _drawn(self, index: int, level: int, attempt: int) -> str:
        draw = hashed(self.name, self.split, index, attempt)
        kinds = [OPERATIONS[hashed(draw, place) % len(OPERATIONS)] for place in range(level)]
        return str(draw % 10) + "".join(letter + kind for letter, kind in zip(LETTERS, kinds, strict=False))


def operations(question: str) -> tuple[int, list[str]]:
    """The first digit of a question and its operations: those of `7a+4b*3..=` are 7, `+4` and `*3`."""
    chain = question.rstrip(".=")
    return int(chain[0]), [chain[place + 1 : place + 3] for place in range(1, len(chain), 3)]


def result(start: int, operation: str) -> int:
    """What an operation makes of a digit, as a last digit."""
    sign, by = operation[0], int(operation[1])
    return (start * by if sign == "*" else start + by if sign == "+" else start - by) % 10


def told(question: str) -> list[Step]:
    """The steps of a question, each once and right."""
    start, kinds = operations(question)
    steps: list[Step] = []
    for letter, kind in zip(LETTERS, kinds, strict=False):
        steps.append(Step(letter, start, result(start, kind)))
        start = steps[-1].result
    return steps


def written(steps: Sequence[Step]) -> str:
    """A thought and its conclusion, as text."""
    return "".join(map(str, steps)) + f"={steps[-1].result}"


def read(thought: str) -> list[Step]:
    """The steps of a text up to its last `=`, as far as they are well formed; capitals before them are passed over."""
    body, steps = (thought.rpartition("=")[0] or thought).lstrip(ascii_uppercase), []
    for place in range(0, len(body), 3):
        part = body[place : place + 3]
        if len(part) < 3 or part[0] not in LETTERS or not part[1:].isdigit():
            break
        steps.append(Step(part[0], int(part[1]), int(part[2])))
    return steps


def first_error(question: str, steps: Sequence[Step]) -> int | None:
    """The place of the first step that is wrong: another letter than its turn, another start, another result.

    A step may be told again, before the next is, and its last telling is gone on from; an earlier one that was wrong is
    then no error. None where the steps told are all right, though there may be too few of them.
    """
    start, kinds = operations(question)
    letters = [*(step.letter for step in steps), None]
    last = [step for place, step in enumerate(steps) if letters[place + 1] != step.letter]
    for place, step in enumerate(last):
        right = place < len(kinds) and step == Step(LETTERS[place], start, result(start, kinds[place]))
        if not right:
            return next(i for i, one in enumerate(steps) if one is step)
        start = step.result
    return None


def conclusion() -> Reward:
    """1 where a row has ended by itself and what stands behind its last `=` is the answer, else 0."""

    def right(problem: Problem, output: str) -> float:
        ended = not (isinstance(output, Text) and output.truncated)
        return float(ended and str(output).rpartition("=")[2] == problem.answer and "=" in output)

    return each(right)
