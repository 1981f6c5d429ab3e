"""Problems of three to six operations for a small character model that is hardly ever right: it has imitated a teacher
who gets three steps in eight wrong and goes on from them, and a right answer has to have right steps.

So most groups of a few rows are all wrong, and a guess earns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.rewards.adapt import combine, each
from rlft.tasks.steps import LETTERS, Step, Steps, first_error, operations, read, result, written
from rlft.types import Problem, Reward, Text
from rlft.worlds import World
from rlft.worlds.steps import base, by_level

LEVELS = (3, 4, 5, 6)
TOKENS = 24
_SLIPS, _OF = 3, 8  # so many steps in so many are wrong


def unsure(size: int | None = None, imitation: int = 500, questions: int = 320) -> World:
    """Problems answered step by step, whose answers are right if all of their steps are.

    Args:
        size: problems to learn from, over and over; none is no end of them.
        imitation: supervised steps of the base model, 64 thoughts of an unsure teacher each.
        questions: held-out ones, a fourth of each level.
    """
    task, test = Steps(LEVELS, size=size), Steps(LEVELS, size=questions, split="test")
    right = derived(task.reward)
    seen = [text_measures, by_level(right)]
    reward = combine({"right": right, "format": each(well_formed)})
    policy = base(slipping, imitation, TOKENS)
    return World(policy, task, test, reward, judged=right, measures=seen, watched=seen[:1], samples=4)


def well_formed(problem: Problem, output: Text) -> float:
    """1 where a row has ended and one digit stands behind its last `=`, else 0."""
    _, sign, answer = str(output).rpartition("=")
    return float(bool(sign) and len(answer) == 1 and answer.isdigit() and not output.truncated)


def slipping(problem: Problem) -> Problem:
    """The problem with a thought in which three steps in eight are wrong, as what is imitated."""
    start, kinds = operations(problem.input)
    steps: list[Step] = []
    for letter, kind in zip(LETTERS, kinds, strict=False):
        slip = hashed("unsure", letter, problem.task, problem.index, problem.visit)
        wrong = slip // _OF % 9 + 1 if slip % _OF < _SLIPS else 0
        steps.append(Step(letter, start, (result(start, kind) + wrong) % 10))
        start = steps[-1].result
    return replace(problem, demonstration=written(steps))


def derived(right: Reward) -> Reward:
    """1 for a right row whose steps are all there and right, else 0."""

    def judged(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        told = [read(str(output)) for output in outputs]
        sound = [
            len({step.letter for step in steps}) == problem.columns["level"]
            and first_error(problem.input, steps) is None
            for problem, steps in zip(problems, told, strict=True)
        ]
        return torch.as_tensor(right(problems, outputs)) * torch.tensor(sound)

    return judged
