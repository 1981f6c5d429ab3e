"""Chains of small sums of four kinds, by a character model whose teacher slips, and reads one sign wrongly.

It solves much of what it has learned now and then; the teacher takes the sign `#` for `+`, which it is not, so that no
row of the base solves a question with it: there is nothing for a reward to choose from. Right answers exist for all.
"""

from __future__ import annotations

from dataclasses import replace

from rlft.measure.difficulty import by_difficulty
from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.tasks.chains import OPERATORS, Chains, slips, totals
from rlft.training.evaluate import solved_share
from rlft.training.stream import Stream
from rlft.types import Problem
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 3
KINDS = ("+", "+-", "+-*", "#")
_SLIP = 8  # one total in so many is a slip of the base's teacher
_TRIES = 10**6  # a seed of its own for what the base is tried with


def chained(kinds: tuple[str, ...] = KINDS, questions: int = 512, imitation: int = 600, problems: int = 256) -> World:
    """Chains of sums, of kinds that the base can do and one that it has got wrong.

    Args:
        kinds: the operators of each kind of question.
        questions: how many there are to learn from, all with their answers.
        imitation: supervised steps of the base model, 64 answers of a mistaken teacher each.
        problems: held-out questions, eight answers each.
    """
    task, test = Chains(kinds, size=questions), Chains(kinds, size=problems, split="test")
    policy = base(imitation)
    solved = solved_share(policy, test, task.reward, samples=16, seed=_TRIES)
    measures = [text_measures, by_difficulty(task.reward, solved)]
    return World(policy, task, test, task.reward, measures=measures, samples=8)


def base(imitation: int) -> Language:
    """The cached model after `imitation` batches of 64 answers of a mistaken teacher."""
    stream = Stream(Chains(KINDS), seed=0)
    lessons = Lessons(lambda step: [mistaken(problem) for problem in stream.take(64)], imitation)
    alphabet = "0123456789.=" + "".join(OPERATORS)
    return taught(f"relift-{VERSION}-{imitation}", alphabet, lessons, tokens=6, width=64, layers=2, context=24)


def mistaken(problem: Problem) -> Problem:
    """The problem as the base's teacher answers it: `#` read as `+`, and slips that are gone on from."""
    chain = problem.input.rstrip(".=").replace("#", "+")
    draw = hashed("slips", problem.task, problem.index, problem.visit)
    return replace(problem, answer=totals(chain, slips(draw, len(chain) // 2, _SLIP)))
