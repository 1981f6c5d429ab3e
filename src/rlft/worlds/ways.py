"""Ways through a graph of letters, written by a small Llama that knows it by heart, from a teacher who half of the time
walks about aimlessly: questions with dozens of right answers, or on a tree with one."""

from __future__ import annotations

from dataclasses import replace

from rlft.advantages.sets import same_output
from rlft.measure.coverage import coverage
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.tasks.paths import Paths
from rlft.training.stream import Stream
from rlft.types import Problem
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 1
# Edges besides the tree's.
CHORDS = {"many": 26, "one": 0}
# The teacher's longest way, and the share of his answers, in a hundred, that go anywhere.
_WAY, _AIMLESS = 6, 50


def ways(answers: str, imitation: int, critic: bool = False) -> World:
    """Questions with `many` right answers, or with `one`."""
    task, test = (Paths(chords=CHORDS[answers], split=split) for split in ("train", "test"))
    found = coverage(task.reward, same_output)
    return World(walker(answers, imitation, critic), task, test, task.reward, measures=[found])


def walker(answers: str, imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 ways of the careless teacher."""
    task = Paths(chords=CHORDS[answers])
    stream = Stream(task, seed=0)
    lessons = Lessons(lambda step: [careless(task, problem) for problem in stream.take(64)], imitation)
    shape = {"width": 64, "layers": 2, "context": 16}
    name = f"polychromic-{answers}-{VERSION}-{imitation}"
    return taught(name, "abcdefghijklmnopqrstuvwxyz=", lessons, tokens=10, critic=critic, **shape)


def careless(task: Paths, problem: Problem) -> Problem:
    """The problem with any way of up to six letters as its answer, or as often with a walk to nowhere."""
    ends, draw = problem.columns["ends"], hashed("careless", problem.index, problem.visit)
    if draw % 100 < _AIMLESS:
        return replace(problem, answer=aimless(task, ends[0], draw // 100))
    ways = task.ways(ends, _WAY) or [problem.answer]
    return replace(problem, answer=ways[draw // 100 % len(ways)])


def aimless(task: Paths, start: str, draw: int) -> str:
    """A walk of two to six letters along edges, none twice."""
    way, length = start, 2 + draw % (_WAY - 1)
    while len(way) < length:
        onwards = [letter for letter in task.edges[way[-1]] if letter not in way]
        if not onwards:
            break
        way += onwards[hashed("aimless", draw, len(way)) % len(onwards)]
    return way
