"""Chains of operations, answered step by step, and a small generative critic who names the wrong steps.

The base had a muddled teacher: in three of eight products he multiplies, in the others he adds. The critic is another
small model, which reads question and row and tells each step again with a sign, `a79+b92-`, - for a wrong one. It was
taught by annotators who pass a wrong step one time in twelve and blame a right one one time in eight, so it blames too
easily, and errs anew each time that it is asked; how right it is is measured beside the rule that knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from rlft.measure.credit import Error, at_errors
from rlft.measure.text import text_measures
from rlft.models.writer import Writer
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import combine
from rlft.rewards.critiques.critique import Critic, Critique, Written, by_function
from rlft.rewards.critiques.steps import Steps as Cut
from rlft.rewards.critiques.votes import Wrong
from rlft.rewards.judging.asked import Template
from rlft.tasks.steps import LETTERS, Step, Steps, conclusion, operations, read, result, told, written
from rlft.types import Blame, Measure, Problem, Reward, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base or the critic would come out otherwise.
VERSION = 1
ALPHABET = "0123456789+-*.=?" + LETTERS
SHAPE: dict[str, Any] = {"width": 64, "layers": 2, "context": 80}
LEVELS = (4, 5, 6)
TOKENS, _CRITIQUE = 3 * max(LEVELS) + 3, 4 * max(LEVELS) + 4
_SLIP = 24  # one sum in so many is off
_RIGHT = 3  # products in eight that are right
_PASSED, _BLAMED = 12, 8  # one wrong step in so many is passed by an annotator, and one right one blamed
_ALONE = 10**5  # a seed of its own for what the base's errors are read from
CUT = Cut(r"(?<=[a-h]\d\d)(?=[a-h=])")
_ASK = Template("{prompt}{completion}?")

Paid = Literal["answer", "critic"]
By = Literal["model", "rule"]
Told = Literal["whole", "terse"]


def criticised(
    by: By = "model",
    votes: int = 4,
    rule: str = "intersection",
    paid: Paid = "answer",
    shown: Told = "terse",
    imitation: int = 600,
    annotated: int = 500,
    questions: int = 450,
) -> World:
    """Questions of four to six operations, rows whose steps a critic blames.

    Args:
        by: the critic, a small model, or as an upper bound the rule that knows.
        votes: critiques of each row by the model.
        rule: how they are put together: intersection, majority, average or union.
        paid: for right answers, or by the critic, for rows in which it finds nothing wrong.
        shown: what there is to imitate, whole solutions, or products alone and the answer, as people write them.
        imitation: supervised steps of the base model, 64 answers of its teacher each.
        annotated: supervised steps of the critic, 64 annotated rows each.
        questions: held-out ones, a third with each number of operations.
    """
    policy = base(imitation)
    critic = Critique(Once(writing(annotated, votes) if by == "model" else by_function(wrong)), CUT, rule)
    task, test = Shown(Steps(LEVELS), shown), Steps(LEVELS, size=questions, split="test")
    right = conclusion()
    paying = {"answer": right, "critic": passing(critic)}[paid]
    errors = first_errors(policy, [test.at(index) for index in range(min(questions, 96))])
    return World(
        policy,
        task,
        test,
        combine({"paid": paying, "critic": critic}),
        judged=right,
        measures=[text_measures, soundness],
        watched=[against_the_rule(critic)],
        probes=[at_errors(errors)],
        samples=4,
    )


class Shown:
    """The questions of a task with other demonstrations."""

    def __init__(self, task: Steps, shown: Told):
        self.task, self.shown = task, shown
        self.name, self.split, self.size, self.reward = task.name, task.split, task.size, task.reward

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        problem = self.task.at(index)
        return problem if self.shown == "whole" else replace(problem, demonstration=terse(problem.input))


def terse(question: str) -> str:
    """What a person writes down: products, and the answer."""
    steps, (_, kinds) = told(question), operations(question)
    key = [step for step, kind in zip(steps, kinds, strict=True) if kind[0] == "*"]
    return "".join(map(str, key)) + f"={steps[-1].result}"


def muddled(problem: Problem) -> Problem:
    """The problem as the base's teacher answers it; what he gets wrong he goes on from."""
    start, kinds = operations(problem.input)
    steps: list[Step] = []
    for letter, kind in zip(LETTERS, kinds, strict=False):
        chance = hashed("muddled", letter, *problem.key)
        come = result(start, kind)
        if kind[0] == "*":
            come = come if chance % 8 < _RIGHT else result(start, f"+{kind[1]}")
        elif chance % _SLIP == 0:
            come = (come + chance // _SLIP % 9 + 1) % 10
        steps.append(Step(letter, start, come))
        start = come
    return replace(problem, demonstration=written(steps))


def wrong(problem: Problem, steps: Sequence[str]) -> frozenset[int]:
    """The steps that are wrong in themselves: out of turn, from another start than what was come to, wrongly done.

    The conclusion is one where it is not what the last step came to, or steps are missing; so is what is no step.
    """
    start, kinds = operations(problem.input)
    found = set()
    for number, step in enumerate(steps, 1):
        place, said = number - 1, read(step)
        if step.startswith("="):
            right = number == len(steps) and place == len(kinds) and step == f"={start}"
        elif len(said) == 1 and len(step) == 3 and place < len(kinds):
            right = said[0] == Step(LETTERS[place], start, result(start, kinds[place]))
            start = said[0].result
        else:
            right = False
        if not right:
            found.add(number)
    return frozenset(found)


class Signs:
    """A critique that tells each step again, with + behind a right and - behind a wrong one."""

    def wrong(self, reply: str, steps: int) -> Wrong | None:
        """The wrong steps; None where there are not as many signs as steps, or no sign at the end."""
        signs = re.findall(r"[+-]", reply)
        told = len(signs) == steps and reply[-1:] in ("+", "-")
        return frozenset(number for number, sign in enumerate(signs, 1) if sign == "-") if told else None


def annotation(problem: Problem, passed: int = _PASSED, blamed: int = _BLAMED) -> Problem:
    """The teacher's row and what an annotator says of it, each step again with a sign.

    One wrong step in `passed` is passed over, and one right one in `blamed` is blamed; with 0 none.
    """
    row = str(muddled(problem).demonstration)
    steps = [row[begin:end] for begin, end in CUT.of(row)]
    truth, said = wrong(problem, steps), ""
    for number in range(1, len(steps) + 1):
        chance = hashed("annotated", number, *problem.key)
        often = passed if number in truth else blamed
        slips = often > 0 and chance % often == 0
        said += steps[number - 1] + ("-" if (number in truth) != slips else "+")
    return replace(problem, demonstration=f"{row}?{said}", task="annotated")


def base(imitation: int) -> Language:
    """The cached model after so many batches of its teacher's answers."""
    return _taught(f"criticised-{VERSION}-{imitation}", TOKENS, (muddled, imitation))


def writing(annotated: int, votes: int, temperature: float = 1.0) -> Written:
    """The cached critic after so many batches of rows annotated without errors, and a third as many with them."""
    lessons = (partial(annotation, passed=0, blamed=0), annotated), (annotation, max(annotated // 3, 1))
    model = _taught(f"criticised-critic-{VERSION}-{annotated}", _CRITIQUE, *lessons)
    writer = Writer(model.causal.eval().requires_grad_(False), model.tokenizer, _CRITIQUE, temperature)
    return Written(writer, _ASK, Signs(), votes, batch=256)


def _taught(name: str, tokens: int, *lessons: tuple[Callable[[Problem], Problem], int]) -> Language:
    """The cached model after so many batches of 64 lessons of each teacher."""
    task = Steps(LEVELS)

    def by(teacher: Callable[[Problem], Problem], begin: int) -> Callable[[int], list[Problem]]:
        return lambda step: [teacher(task.at(64 * (begin + step) + place)) for place in range(64)]

    begun, told = 0, list[Lessons]()
    for teacher, steps in lessons:
        told.append(Lessons(by(teacher, begun), steps))
        begun += steps
    return taught(name, ALPHABET, *told, tokens=tokens, **SHAPE)


class Once:
    """A critic that is asked once of a batch, though the reward and what watches it both ask."""

    def __init__(self, critic: Critic):
        self.critic = critic
        self._last: tuple[Any, Any] = (None, None)

    def __call__(
        self, problems: Sequence[Problem], outputs: Sequence[Any], steps: Sequence[Sequence[str]]
    ) -> tuple[list[list[Wrong | None]], Mapping[str, Tensor]]:
        asked = [(problem.input, str(output)) for problem, output in zip(problems, outputs, strict=True)]
        if self._last[0] != asked:
            self._last = asked, self.critic(problems, outputs, steps)
        return self._last[1]


def passing(critic: Critique) -> Reward:
    """1 where a row has ended and the critic finds nothing wrong in it, else 0."""

    def paid(problems: Sequence[Problem], outputs: Sequence[Text]) -> Tensor:
        blame = critic(problems, outputs).blame or []
        return torch.tensor([float(clean(row, output)) for row, output in zip(blame, outputs, strict=True)])

    return paid


def clean(blame: Sequence[Blame], output: Text) -> bool:
    """Whether a row has ended and nothing in it is blamed."""
    return not blame and not output.truncated and bool(output)


def against_the_rule(critic: Critique) -> Measure:
    """What the critic says of rows beside the rule that knows.

    clean    share of rows in which the critic finds nothing wrong
    fooled   share of rows that it finds clean and are not sound
    missed   share of the wrong steps that it does not blame, NaN without any
    accused  share of the right steps that it blames, by how much
    exact    share of rows of which it blames the wrong steps and no other, wholly
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        blame = critic(problems, outputs).blame or []
        passed = [clean(row, output) for row, output in zip(blame, outputs, strict=True)]
        bad, good, fooled, same = list[float](), list[float](), list[bool](), list[bool]()
        for one, problem, output, row in zip(passed, problems, outputs, blame, strict=True):
            cuts, share = CUT.of(str(output)), {one.begin: one.share for one in row}
            truth = wrong(problem, [str(output)[begin:end] for begin, end in cuts])
            for number, (begin, _) in enumerate(cuts, 1):
                (bad if number in truth else good).append(share.get(begin, 0.0))
            fooled.append(one and not sound(problem, output))
            same.append(all(share.get(cut[0], 0.0) == (n in truth) for n, cut in enumerate(cuts, 1)))
        count = len(problems)
        return {
            "clean": sum(passed) / count,
            "fooled": sum(fooled) / count,
            "missed": 1 - sum(bad) / len(bad) if bad else float("nan"),
            "accused": sum(good) / max(len(good), 1),
            "exact": sum(same) / count,
        }

    return measure


def sound(problem: Problem, output: Text) -> bool:
    """Whether a row has ended, with all steps and all of them right."""
    steps = [str(output)[begin:end] for begin, end in CUT.of(str(output))]
    return not output.truncated and not wrong(problem, steps) and len(steps) == len(told(problem.input)) + 1


def soundness(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """What the rule that knows says of rows.

    sound  share of rows that have ended, with all steps right
    told   share of a question's steps that are told, its conclusion aside
    """
    pairs = list(zip(problems, outputs, strict=True))
    length = [(len(CUT.of(str(output))) - 1) / len(told(problem.input)) for problem, output in pairs]
    return {"sound": sum(sound(*pair) for pair in pairs) / len(pairs), "told": sum(length) / len(pairs)}


def first_errors(policy: Language, problems: Sequence[Problem]) -> list[Error]:
    """The first wrong step of a row of the policy's to each of these problems, if it is a step; of right rows none."""
    found = []
    for problem, output in zip(problems, policy.sample(problems, 1, _ALONE).outputs, strict=True):
        text, right = str(output), told(problem.input)
        cuts = CUT.of(text)
        place = min(wrong(problem, [text[begin:end] for begin, end in cuts]), default=0) - 1
        if 0 <= place < len(right) and len(text[slice(*cuts[place])]) == 3:
            found.append(Error(problem, text[: cuts[place][0]], text[slice(*cuts[place])], str(right[place])))
    return found
