"""Small Python programs written from words, run against their tests in a jail.

The base had a teacher who knows common operations well, others less, and some hardly at all: he then writes another
line, four times in five the same one each time. So it writes short programs right most of the time, and seldom long
ones, which have the rare operations in them and whose likeliest line is then a wrong one. Levels are those of
`tasks.lists`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch

from rlft.measure.text import text_measures
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.coding import programs
from rlft.tasks.lists import HARD, LEVELS, OPERATIONS, WORDS, Lists, program
from rlft.tasks.subset import Subset
from rlft.training.stream import Stream
from rlft.types import Measure, Problem, Reward, Task, Text, UserError
from rlft.worlds import World

# Raised when the base would come out otherwise.
VERSION = 1
# How often the base's teacher knows an operation: all of a kind, or one after the other.
KNOWN: Mapping[str, Sequence[float]] = {"a": (0.95,), "b": (0.6,), "c": (0.4, 0.34, 0.28, 0.22, 0.18, 0.14)}
_TOKENS = 8  # the beginning of a program, five lines, its end, and the end of the answer
# The levels of problems to learn from, of which one in eight is hard; two thirds of those held out are.
_TRAIN = (1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, *HARD)
_HELD_OUT = (2, 3, *HARD, *HARD)


def programmed(questions: int = 512, held_out: int = 144, imitation: int = 600) -> World:
    """Programs that do to a list what words say.

    Args:
        questions: problems of all levels to learn from, one in eight of them hard.
        held_out: held-out problems of levels 2 to 5, two thirds of them of the hard ones, 4 and 5.
        imitation: supervised steps of the base model, 64 programs of a teacher with gaps each.
    """
    reward = programs(seconds=2.0, workers=1)
    test = Lists(_HELD_OUT, held_out, "test")
    return World(
        base(imitation), Lists(_TRAIN, questions), test, reward, measures=[by_level(reward), text_measures], samples=8
    )


def by_level(reward: Reward) -> Measure:
    """Of held-out problems by their level:

    level-K    share of the rows of level K that are right
    hard       the same of both hard levels, and
    hard/any   share of the hard problems that a row solves, of so many as there are: pass@G
    hard/mixed share of them that some rows solve and some do not: informative groups of that size
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        right = torch.as_tensor(reward(problems, outputs)) >= 1
        held: dict[int, dict[int, list[bool]]] = {level: {} for level in LEVELS}
        for problem, solved in zip(problems, right.tolist(), strict=True):
            held[problem.columns["level"]].setdefault(problem.index, []).append(solved)
        shares = {level: [sum(rows) / len(rows) for rows in found.values()] for level, found in held.items()}
        hard = [share for level in HARD for share in shares[level]]
        numbers = {f"level-{level}": sum(found) / len(found) for level, found in shares.items() if found}
        if hard:
            numbers["hard"] = sum(hard) / len(hard)
            numbers["hard/any"] = sum(share > 0 for share in hard) / len(hard)
            numbers["hard/mixed"] = sum(0 < share < 1 for share in hard) / len(hard)
        return numbers

    return measure


def hardest(task: Task, count: int) -> Subset:
    """The first so many problems of the hard levels, or all there are."""
    found = [index for index in range(task.size or 0) if task.at(index).columns["level"] in HARD]
    if not found:
        raise UserError(f"of the {task.size} problems of {task.name} none is of the levels {HARD}")
    return Subset(task, found[:count])


def base(imitation: int) -> Language:
    """The cached model after `imitation` batches of programs of a teacher with gaps; small ones where they are few."""
    stream, size = Stream(Lists(), seed=0), min(64, max(imitation // 8, 8))

    def build() -> Language:
        tokenizer = word_tokenizer(WORDS)
        policy = Language(
            small_llama(len(tokenizer), width=128, layers=2, context=32), tokenizer, max_new_tokens=_TOKENS
        )
        imitate(policy, lambda step: [mistaken(problem) for problem in stream.take(size)], steps=imitation)
        return policy

    return cached_language(f"programmed-{VERSION}-{imitation}", build, max_new_tokens=_TOKENS)


def mistaken(problem: Problem) -> Problem:
    """The problem with the program that the base's teacher writes for it."""
    draw = partial(hashed, "mistaken", problem.task, problem.index, problem.visit)
    lines = [written(name, draw(place)) for place, name in enumerate(problem.columns["operations"])]
    return replace(problem, demonstration=program(lines))


def known(name: str) -> float:
    """How often the teacher knows this operation."""
    kind = OPERATIONS[name].kind
    return KNOWN[kind][_among(kind).index(name) % len(KNOWN[kind])]


def written(name: str, draw: int) -> str:
    """The operation whose line the teacher writes, who is asked for this one."""
    if hashed(draw, "knows") % 1000 < 1000 * known(name):
        return name
    own, every = _among(OPERATIONS[name].kind), list(OPERATIONS)
    if draw % 5:
        return own[(own.index(name) + 1) % len(own)]
    return every[draw // 5 % len(every)]


def _among(kind: str) -> list[str]:
    return [name for name, operation in OPERATIONS.items() if operation.kind == kind]
