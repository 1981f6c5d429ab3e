"""A base in which searching is latent, and twenty traces that may bring it out, from one of five sources.

The base once learned to search for hidden digits, and has since read answers of which most name a digit at once, which
is right three times in ten, some work one try out and name it whatever came of it, and one in ten searches. The
reasoner is another model of the same size, which has read searches alone; what it writes, where it is right, is the
first source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.tasks.hidden import Hidden, asked, tried, tries
from rlft.training.stream import Stream
from rlft.types import Problem, Text, UserError
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when a base would come out otherwise.
VERSION = 2
TOKENS = 56
ALPHABET = "0123456789+-*.:="
SHAPE: dict[str, Any] = {"width": 64, "layers": 2, "context": 72}
_LUCKY, _ONCE = 30, 30  # in a hundred: guesses that are right, and answers with one try worked out
_DRAWS = 8  # of the reasoner, to each question
Source = Literal["reasoner", "edited", "polished", "template", "answer"]


def traces(
    source: Source = "reasoner",
    searching: int = 10,
    examples: int = 20,
    imitation: int = 900,
    questions: int = 400,
    seed: int = 0,
) -> World:
    """Twenty traces to imitate.

    Args:
        source: a reasoning model; people who show one try that failed and the right one; who show the right one alone;
            the right one as often as the reasoner would have tried; or the answer without anything.
        searching: in a hundred of the answers that the base has read of late, those that search; with 0 it never has.
        examples: traces, each of a question of its own; which questions they are differs by seed.
        imitation: supervised steps of the base and of the reasoner, 64 answers each.
        questions: held-out ones.
        seed: which questions are shown.
    """
    if not 0 <= searching <= 100 - _ONCE:
        raise UserError(f"searching is a number in a hundred, at most {100 - _ONCE}, not {searching}")
    test = Hidden(size=questions, split="test")
    shown = Shown(source, examples, imitation, seed)
    return World(base(searching, imitation), shown, test, test.reward, measures=[text_measures, search], samples=4)


class Shown:
    """The examples, as a task whose problems carry their traces; the same ones at every visit."""

    def __init__(self, source: Source, count: int, imitation: int, seed: int):
        task = Hidden()
        problems = [replace(task.at(hashed("shown", seed, place) % 100_000), index=place) for place in range(count)]
        written = reasoned(problems, imitation) if source == "reasoner" else [told(p, source) for p in problems]
        self.problems = [replace(p, demonstration=text) for p, text in zip(problems, written, strict=True)]
        self.name, self.split, self.size = f"{task.name}-{source}", task.split, count

    def at(self, index: int) -> Problem:
        """The problem with its trace."""
        return self.problems[index]


def told(problem: Problem, source: Source) -> str:
    """What is shown of a problem, from a source that is no model."""
    kinds, _ = asked(problem.input)
    right = int(str(problem.answer))
    searched = _search(problem.input, hashed(problem.input, "first") % 10)
    ways = {
        "edited": [(right - 1) % 10, right],
        "polished": [right],
        "template": [right] * len(searched),
        "answer": [],
    }
    return ".".join(tried(digit, kinds) for digit in ways[source]) + f"={right}"


def _search(question: str, first: int) -> list[int]:
    """The digits that are tried in turn, from the first, until one fits."""
    kinds, target = asked(question)
    order = [(first + step) % 10 for step in range(10)]
    fits = next(place for place, digit in enumerate(order) if tried(digit, kinds)[-1] == target)
    return order[: fits + 1]


def reasoned(problems: Sequence[Problem], imitation: int) -> list[str]:
    """The reasoner's first right answer to each; where none of its draws is right, a search that it might have read."""
    policy, task = reasoner(imitation), Hidden()
    rows = policy.sample(problems, _DRAWS, seed=0)
    right = task.reward(rows.problems, rows.outputs).reshape(len(problems), _DRAWS)
    found = []
    for place, problem in enumerate(problems):
        at = int(right[place].argmax())
        text = str(rows.outputs[place * _DRAWS + at])
        found.append(text if right[place, at] == 1 else searching_answer(problem).demonstration)
    return found


def searching_answer(problem: Problem) -> Problem:
    """The problem with a search as what is imitated, from a digit that differs by visit."""
    kinds, _ = asked(problem.input)
    digits = _search(problem.input, hashed("first", problem.index, problem.visit) % 10)
    written = ".".join(tried(digit, kinds) for digit in digits)
    return replace(problem, demonstration=f"{written}={digits[-1]}")


def hasty_answer(problem: Problem) -> Problem:
    """The problem with an answer that is named at once."""
    draw = hashed("guess", problem.index, problem.visit)
    right = int(str(problem.answer))
    guess = right if draw % 100 < _LUCKY else (right + 1 + draw // 100 % 9) % 10
    return replace(problem, demonstration=f"={guess}")


def answered(searching: int) -> Callable[[Problem], Problem]:
    """What the base has read: few searches, some single tries, for the most part guesses."""

    def read(problem: Problem) -> Problem:
        kind = hashed("kind", problem.index, problem.visit) % 100
        if kind < searching:
            return searching_answer(problem)
        guess = hasty_answer(problem)
        if kind >= searching + _ONCE:
            return guess
        digit = int(str(guess.demonstration)[-1])
        return replace(guess, demonstration=f"{tried(digit, asked(problem.input)[0])}={digit}")

    return read


def base(searching: int, imitation: int) -> Language:
    """The cached model after `imitation` batches of 64 searches, long ago, and then a third as many such answers.

    Without searches it has read such answers from the beginning.
    """
    before = searching_answer if searching else answered(0)
    late = max(imitation // 3, 1)
    name = f"traces-base-{searching}-{VERSION}-{imitation}"
    return _taught(name, (before, imitation, 3e-3), (answered(searching), late, 1e-3))


def reasoner(imitation: int) -> Language:
    """The cached model that has read searches alone."""
    return _taught(f"traces-reasoner-{VERSION}-{imitation}", (searching_answer, imitation, 3e-3))


def _taught(name: str, *courses: tuple[Callable[[Problem], Problem], int, float]) -> Language:
    """After these courses in turn: a teacher, steps of 64 answers, and the learning rate."""
    streams = [Stream(Hidden(), seed=number) for number in range(len(courses))]

    def read(stream: Stream, teacher: Callable[[Problem], Problem]) -> Callable[[int], Sequence[Problem]]:
        return lambda step: [teacher(problem) for problem in stream.take(64)]

    lessons = [
        Lessons(read(stream, teacher), steps, lr) for stream, (teacher, steps, lr) in zip(streams, courses, strict=True)
    ]
    return taught(name, ALPHABET, *lessons, tokens=TOKENS, **SHAPE)


def search(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """How rows search.

    tries       tries of a row
    turns       of these such as come after one that was another digit: it turned back
    checked     share of the rows whose last try is worked out rightly and fits, and is what they answer
    tokens      tokens of a row
    """
    told = turns = checked = tokens = 0
    for problem, output in zip(problems, outputs, strict=True):
        kinds, target = asked(problem.input)
        mine = tries(str(output))
        told += len(mine)
        turns += sum(one[0] != other[0] for one, other in pairwise(mine))
        answer = str(output).rpartition("=")[2]
        fits = bool(mine) and answer == mine[-1][0] and mine[-1] == tried(int(mine[-1][0]), kinds)
        checked += fits and mine[-1][-1] == target
        tokens += len(output.tokens)
    count = len(outputs)
    return {"tries": told / count, "turns": turns / count, "checked": checked / count, "tokens": tokens / count}
