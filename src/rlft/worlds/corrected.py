"""Questions with a sign that a small character model has got wrong, and what it can mend where it is shown a reference.

A question, `7a+2b#3c-1d#4=`, is a chain of four operations on digits; the answer is what the signs `#` come to, and
what all of it does, `611`. The model tells the chain step by step, `a9;b6;c5;d1;=611`.
Its teacher passes over `#3`, which is -3, but one time in sixteen, so that it hardly ever gets through a question with
several of them. Shown its own attempt and a reference it can say which step is the first wrong one and what should
stand there. References are terse, as people's are: they tell those steps alone, `b6d1=611`, so that who imitates them
has to do the others in his head, which the model has never done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.collect.interventions import Correction, Wording, interventions, proposed
from rlft.measure.credit import Error, at_errors
from rlft.measure.text import text_measures
from rlft.noise import hashed, permuted
from rlft.policies.language.policy import Language
from rlft.tasks.steps import LETTERS, conclusion
from rlft.types import Measure, Method, Problem, Reward, Text
from rlft.worlds import World, unchanged
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 3
EASY = ("+1", "+2", "+3", "+4", "-1", "-2", "-3", "-4")
HARD = ("#1", "#2", "#3", "#4")
PLACES = 4
ALPHABET = "0123456789+-=#;:/?" + LETTERS[:PLACES]
SHAPE: dict[str, Any] = {"width": 64, "layers": 2, "context": 72}
TOKENS = 4 * PLACES + 3
# How the base is asked for a correction; the number of a step is its letter's.
WORDING = Wording("{prompt}{attempt}/{reference}?", ";", "=")
_SLIP, _RIGHT = 24, 16  # one easy operation in so many is wrong, and one hard one in so many is right
_ALONE = 10**5  # a seed of its own for what the base's errors are read from
Corrector = Literal["model", "rule"]


class Knots:
    """Questions of four operations, so many of which are hard as `knots` says; they take turns.

    `columns["knots"]` is how many; the `demonstration` is the terse reference. Splits are halves of all questions, by a
    hash; without a `size` there is no end of them.
    """

    def __init__(self, knots: Sequence[int], size: int | None = None, split: str = "train"):
        self.knots, self.size, self.split = tuple(knots), size, split
        self.name = f"knots-{'-'.join(map(str, knots))}"
        self.reward: Reward = conclusion()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        knots, attempt = self.knots[index % len(self.knots)], 0
        while hashed(chain := self._drawn(index, knots, attempt)) % 2 != ("train", "test").index(self.split):
            attempt += 1
        answer, given = concluded(told(chain), chain), {"knots": knots}
        return Problem(index, f"{chain}=", answer, given, self.name, self.split, demonstration=reference(chain))

    def _drawn(self, index: int, knots: int, attempt: int) -> str:
        draw = hashed(self.name, self.split, index, attempt)
        chain = str(draw % 10)
        for place in range(PLACES):
            kinds = HARD if permuted(place, PLACES, "knots", draw) < knots else EASY
            chain += LETTERS[place] + kinds[hashed(draw, place) % len(kinds)]
        return chain


def corrected(
    imitation: int = 900,
    questions: int = 400,
    corrector: Corrector = "model",
) -> World:
    """Questions none of whose answers is right, and corrections of them.

    Args:
        imitation: supervised steps of the base model, 64 answers or corrections each.
        questions: held-out ones, a fifth with each number of hard operations from 0 to 4; those that are learned
            from have 3 or 4.
        corrector: who corrects failed rows in the first stage, the model itself or, as an upper bound, a rule that
            knows.
    """
    policy = base(imitation)
    task, test = Knots((3, 4)), Knots((0, 1, 2, 3, 4), questions, "test")
    hard = [problem for problem in map(test.at, range(questions)) if problem.columns["knots"] > 1]
    failed = errors(policy, hard[:96])
    return World(
        policy,
        task,
        test,
        task.reward,
        measures=[text_measures, by_knots(task.reward)],
        probes=[at_errors([error for error, _ in failed]), mending(failed)],
        samples=4,
        adapted=ruled if corrector == "rule" else unchanged,
    )


def operations(question: str) -> tuple[int, list[str]]:
    """The first digit of a question and its operations: those of `7a+2b#3=` are 7, `+2` and `#3`."""
    return int(question[0]), re.findall(r"[-+#]\d", question)


def result(start: int, operation: str) -> int:
    """What an operation makes of a digit, as a last digit; `#` is another sign for `-`."""
    by = int(operation[1])
    return (start + by if operation[0] == "+" else start - by) % 10


def told(question: str) -> list[str]:
    """The steps of a question, each once and right."""
    start, kinds = operations(question)
    steps: list[str] = []
    for letter, kind in zip(LETTERS, kinds, strict=False):
        start = result(start, kind)
        steps.append(f"{letter}{start}")
    return steps


def concluded(steps: Sequence[str], question: str) -> str:
    """The answer that these steps come to: the results of the hard operations, and the last."""
    hard = [step[1:] for step, kind in zip(steps, operations(question)[1], strict=True) if kind in HARD]
    return "".join(hard) + steps[-1][1:]


def reference(question: str) -> str:
    """What a person writes down: the hard steps, and the answer."""
    steps, (_, kinds) = told(question), operations(question)
    key = [step for step, kind in zip(steps, kinds, strict=True) if kind in HARD]
    return "".join(key) + f"={concluded(steps, question)}"


def spoken(steps: Sequence[str], question: str) -> str:
    """A thought as the model tells it."""
    return "".join(f"{step};" for step in steps) + f"={concluded(steps, question)}"


def heard(attempt: str) -> list[str]:
    """The steps of such a text, as far as they are well formed."""
    found = re.match(rf"(?:[{LETTERS}]\d;)*", attempt)
    return found.group().split(";")[:-1] if found else []


def careless(question: str, *draw: object) -> list[str]:
    """The steps as the base's teacher tells them; mistakes are gone on from."""
    start, kinds = operations(question)
    steps: list[str] = []
    for letter, kind in zip(LETTERS, kinds, strict=False):
        chance = hashed("careless", letter, *draw)
        if kind in HARD:
            start = result(start, kind) if chance % _RIGHT == 0 else start
        else:
            start = (result(start, kind) + (chance // _SLIP % 9 + 1 if chance % _SLIP == 0 else 0)) % 10
        steps.append(f"{letter}{start}")
    return steps


def mended(question: str, attempt: str) -> Correction | None:
    """The first wrong step of an attempt, mended; None where all of its steps are right, or there are too few."""
    steps, right = heard(attempt), told(question)
    pairs = zip(steps, right, strict=False)
    place = next((place for place, (one, other) in enumerate(pairs) if one != other), None)
    if place is None:
        return None
    return Correction("".join(f"{step};" for step in right[:place]), f"{right[place]};")


def by_rule(policy: Any, problems: Sequence[Problem], attempts: Sequence[str], seed: int) -> list[Correction | None]:
    """Corrections of one who knows, in place of the model's own."""
    return [mended(problem.input, attempt) for problem, attempt in zip(problems, attempts, strict=True)]


def ruled(method: Method) -> Method:
    """The method, which corrects, with that rule."""
    told = {name: method.settings[name] for name in ("prefix", "tried", "solved")}
    return replace(method, collect=interventions(method.settings["taught"], by_rule, **told))


def answered(problem: Problem) -> Problem:
    """The question as the base's teacher answers it."""
    return replace(problem, demonstration=spoken(careless(problem.input, *problem.key), problem.input))


def mending_lesson(problem: Problem) -> Problem:
    """A wrong attempt with a reference, and its correction; where the teacher made no mistake, his answer."""
    attempt = spoken(careless(problem.input, "again", *problem.key), problem.input)
    correction = mended(problem.input, attempt)
    if correction is None:
        return answered(problem)
    number = len(heard(correction.kept)) + 1
    return replace(WORDING.question(problem, attempt), demonstration=f"{number}:{correction.step[:-1]}")


def base(imitation: int) -> Language:
    """The cached model after `imitation` batches: of each three lessons one is an answer, two are corrections."""
    task = Knots((0, 1, 2, 3, 4))

    def lessons(step: int) -> list[Problem]:
        drawn = enumerate(map(task.at, range(64 * step, 64 * step + 64)))
        return [mending_lesson(problem) if place % 3 else answered(problem) for place, problem in drawn]

    return taught(f"corrected-{VERSION}-{imitation}", ALPHABET, Lessons(lessons, imitation), tokens=TOKENS, **SHAPE)


def errors(policy: Language, problems: Sequence[Problem]) -> list[tuple[Error, str]]:
    """The first error of a row of the policy's to each of these problems, and the row; of right rows nothing."""
    rows = policy.sample(problems, 1, _ALONE)
    found = []
    for problem, output in zip(problems, rows.outputs, strict=True):
        correction = mended(problem.input, str(output))
        if correction is not None:
            wrong = heard(str(output))[len(heard(correction.kept))]
            found.append((Error(problem, correction.kept, f"{wrong};", correction.step), str(output)))
    return found


def mending(failed: Sequence[tuple[Error, str]]) -> Callable[[Any], Mapping[str, float]]:
    """What a policy proposes of these rows.

    proposes  share that it proposes something of
    finds     share whose first wrong step it names
    mends     share in whose place it puts the right one
    """
    propose = proposed(WORDING)

    def probe(policy: Any) -> Mapping[str, float]:
        made = propose(policy, [error.problem for error, _ in failed], [attempt for _, attempt in failed], _ALONE)
        pairs = [(one, error) for one, (error, _) in zip(made, failed, strict=True) if one is not None]
        count = max(len(failed), 1)
        finds = sum(one.kept == error.kept for one, error in pairs) / count
        mends = sum(one == (error.kept, error.right) for one, error in pairs) / count
        return {"proposes": len(pairs) / count, "finds": finds, "mends": mends}

    return probe


def by_knots(reward: Reward) -> Measure:
    """What becomes of questions with and without hard operations.

    easy, hard  share of right rows of those with none, and with two or more
    spoken      share of rows that tell all four steps
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        right = [float(one) for one in reward(problems, outputs)]
        knots = [problem.columns["knots"] for problem in problems]
        easy = [one for one, count in zip(right, knots, strict=True) if count == 0]
        hard = [one for one, count in zip(right, knots, strict=True) if count > 1]
        whole = [len(heard(str(output))) >= PLACES for output in outputs]
        told = {"easy": easy, "hard": hard, "spoken": whole}
        return {name: sum(values) / len(values) for name, values in told.items() if values}

    return measure
