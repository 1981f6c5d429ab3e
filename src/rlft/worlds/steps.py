"""Problems of six levels, answered step by step by a small character model whose teacher slips and is long-winded.

A step is one operation on a digit. Told for the first time it is wrong one time in eight; told again, with the same
letter, one time in twenty-four; and the teacher tells a step again as often as not, and again. So a longer thought is
right more often, one that is too long is cut off, and what has been learned so can be thought more shortly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.length import cosine, cosine_open_rs
from rlft.tasks.steps import LETTERS, Step, Steps, operations, read, result, written
from rlft.training.stream import Stream
from rlft.types import Problem, Reward, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 1
ALPHABET = "0123456789+-*.=" + LETTERS
LEVELS = (1, 2, 3, 4, 5, 6)
SHAPE: dict[str, Any] = {"width": 64, "layers": 2, "context": 96}
_FIRST, _AGAIN = 8, 24  # one telling in so many is a slip, of a step's first and of later ones
_MOST = 5  # tellings of a step
Paid = Literal["accuracy", "cosine", "published"]


def stepwise(
    levels: tuple[int, ...] = LEVELS,
    paid: Paid = "accuracy",
    tokens: int = 32,
    imitation: int = 900,
    questions: int = 360,
) -> World:
    """Problems answered step by step, with room for `tokens`.

    Args:
        levels: of the problems to learn from, operations each; held-out ones are of all six.
        paid: for right answers alike, by the cosine of their length, or by it as it was published, of characters of
            which four stand in a token, without a bound.
        tokens: room for a thought and its answer, and the limit of the cosine.
        imitation: supervised steps of the base model, 64 thoughts of a long-winded teacher each.
        questions: held-out ones, a sixth of each level.
    """
    task, test = Steps(levels), Steps(LEVELS, size=questions, split="test")
    right = task.reward
    rewards = {
        "accuracy": lambda: right,
        "cosine": lambda: cosine(limit=tokens, unit="tokens", correct=right),
        "published": lambda: cosine_open_rs(limit=tokens // 4, correct=right),
    }
    seen = [text_measures, by_level(right)]
    policy = base(long_winded, imitation, tokens)
    return World(policy, task, test, rewards[paid](), judged=right, measures=seen, watched=seen[:1], samples=4)


def thought(question: str, again: int, *draw: object) -> list[Step]:
    """What the teacher thinks: each step is told again `again` times in a hundred, and then once more as often.

    `draw` names his slips and his ways; a slip is gone on from, unless the step is told again.
    """
    start, kinds = operations(question)
    steps: list[Step] = []
    for letter, kind in zip(LETTERS, kinds, strict=False):
        for telling in range(_MOST):
            if telling and hashed("again", letter, telling, *draw) % 100 >= again:
                break
            slip, often = hashed("slip", letter, telling, *draw), _AGAIN if telling else _FIRST
            wrong = slip // often % 9 + 1 if slip % often == 0 else 0
            steps.append(Step(letter, start, (result(start, kind) + wrong) % 10))
        start = steps[-1].result
    return steps


def long_winded(problem: Problem, again: int = 50) -> Problem:
    """The problem with such a thought as what is imitated."""
    steps = thought(problem.input, again, problem.task, problem.index, problem.visit)
    return replace(problem, demonstration=written(steps))


def base(
    teacher: Callable[[Problem], Problem], imitation: int, tokens: int, extra: str = "", critic: bool = False
) -> Language:
    """The cached model after `imitation` batches of 64 thoughts of this teacher, at problems of all levels."""
    stream = Stream(Steps(LEVELS), seed=0)
    lessons = Lessons(lambda step: [teacher(problem) for problem in stream.take(64)], imitation)
    name = f"steps-{teacher.__name__}-{VERSION}-{imitation}"
    return taught(name, ALPHABET + extra, lessons, tokens=tokens, critic=critic, **SHAPE)


def by_level(reward: Reward) -> Callable[[Sequence[Problem], Sequence[Text]], dict[str, float]]:
    """What a row does at each level.

    level-1 …   share of right rows
    tokens-1 …  tokens of a row
    tokens      the same of all rows
    again       share of the steps told that tell one again
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        right = reward(problems, outputs)
        found: dict[str, list[float]] = {}
        steps = twice = 0
        for row, (problem, output) in enumerate(zip(problems, outputs, strict=True)):
            level = problem.columns["level"]
            found.setdefault(f"level-{level}", []).append(float(right[row]))
            found.setdefault(f"tokens-{level}", []).append(len(output.tokens))
            found.setdefault("tokens", []).append(len(output.tokens))
            letters = [step.letter for step in read(str(output))]
            steps += len(letters)
            twice += sum(one == other for one, other in pairwise(letters))
        return {name: sum(all_of) / len(all_of) for name, all_of in found.items()} | {"again": twice / max(steps, 1)}

    return measure
