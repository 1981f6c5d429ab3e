"""Two-digit sums by a character model that had a careless teacher; no pair of numbers is in both splits."""

from __future__ import annotations

from dataclasses import replace

from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.tasks.arithmetic import Arithmetic
from rlft.training.stream import Stream
from rlft.types import Problem
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 3


def sums(imitation: int = 800, critic: bool = False) -> World:
    """Two-digit sums by a small character model.

    Args:
        imitation: supervised steps of the base model on right sums, 64 each; an eighth as many careless ones follow.
    """
    task, seen = Arithmetic(), [text_measures]
    policy = base(imitation, critic)
    return World(policy, task, Arithmetic(split="test"), task.reward, measures=seen, watched=seen)


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 sums, answers given, and an eighth as many, carelessly."""
    stream = Stream(Arithmetic(), seed=0)
    right = Lessons(lambda step: stream.take(64), imitation)
    slips = Lessons(lambda step: [careless(problem) for problem in stream.take(64)], imitation // 8, lr=1e-3)
    name = f"arithmetic-{VERSION}-{imitation}"
    return taught(name, "0123456789+=", right, slips, tokens=5, critic=critic, context=32)


def careless(problem: Problem) -> Problem:
    """The problem with its answer, or as often with a slip: off by one or by ten, in either direction."""
    draw = hashed("careless", problem.index, problem.visit)
    slip = (1, -1, 10, -10)[draw % 4] if draw // 4 % 2 else 0
    return replace(problem, answer=str(abs(int(problem.answer) + slip)))
