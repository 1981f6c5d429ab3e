"""Sums of several digits with their running totals, by a character model that had a careless teacher.

He slips, now and then gives the last total without the others, or goes on until it is cut off. So answers differ in
length, and the reward sees their last character alone. The base solves most `easy` sums (five or six numbers) and fewer
than half of the `hard` ones (seven to ten). In `equal` sums every answer has one length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.tasks.worked_sums import WorkedSums
from rlft.training.stream import Stream
from rlft.types import Problem, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 1
Setting = Literal["easy", "hard", "equal"]
NUMBERS: dict[Setting, tuple[int, int]] = {"easy": (5, 6), "hard": (7, 10), "equal": (5, 5)}
TOKENS = 14


def totals(setting: Setting = "easy", imitation: int = 300, critic: bool = False) -> World:
    """Worked sums.

    Args:
        setting: sums of 5 or 6 numbers, of 7 to 10, or of 5 with answers of one length.
        imitation: supervised steps of the base model, 64 answers of a careless teacher each.
    """
    task, test = (WorkedSums(*NUMBERS[setting], split=split) for split in ("train", "test"))
    policy = base(slipping if setting == "equal" else careless, imitation, critic)
    seen = [text_measures, worked]
    return World(policy, task, test, task.reward, measures=seen, watched=seen[:1], samples=2)


def worked(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """What the reward does not see.

    worked   share of the rows whose every running total is right
    tokens   tokens of a row
    """
    right = sum(str(output) == problem.answer for problem, output in zip(problems, outputs, strict=True))
    return {"worked": right / len(outputs), "tokens": sum(len(output.tokens) for output in outputs) / len(outputs)}


def base(teacher: Callable[[Problem], Problem], imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 answers of this teacher, to easy and hard sums."""
    easy, hard = (Stream(WorkedSums(*NUMBERS[setting]), seed=0) for setting in ("easy", "hard"))
    shown = Lessons(lambda step: [teacher(problem) for problem in easy.take(32) + hard.take(32)], imitation)
    shape = {"width": 64, "layers": 2, "context": 32}
    name = f"lite-ppo-{teacher.__name__}-{VERSION}-{imitation}"
    return taught(name, "0123456789.=", shown, tokens=TOKENS, critic=critic, **shape)


def slipping(problem: Problem) -> Problem:
    """The problem with running totals that slip and are added to from there on: one of the first four in 32, one
    further on in 5."""
    draw = hashed("slips", problem.task, problem.index, problem.visit)
    digits = [int(digit) for digit in problem.input.rstrip(".=")]
    totals = digits[:1]
    for place, digit in enumerate(digits[1:]):
        slip, often = hashed(draw, place), 32 if place < 4 else 5
        totals.append((totals[-1] + digit + (slip // often % 9 + 1 if slip % often == 0 else 0)) % 10)
    return replace(problem, answer="".join(map(str, totals[1:])))


def careless(problem: Problem) -> Problem:
    """`slipping`, but of 32 answers one is the sum alone, and one says its last total until there is no room left."""
    way = hashed("careless", problem.task, problem.index, problem.visit) % 32
    slipped = slipping(problem)
    if way == 0:
        return replace(slipped, answer=problem.answer[-1])
    return replace(slipped, answer=slipped.answer.ljust(TOKENS, slipped.answer[-1])) if way == 1 else slipped
