"""Corrections that a model proposes of its own failed rows, one step each, as demonstrations. Nothing here imitates.

A step is what stands between two of the strings that end steps. The model is shown a failed attempt and the reference,
and asked for the first wrong step and what should stand in its place; the attempt up to there and the correction are
the demonstration, and nothing after it (InT, arXiv:2601.14209).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rlft.collect.sources import one_batch
from rlft.types import Collect, Problem, Rollouts, Source, UserError

ASKED = (
    "{prompt}\n\nHere is a reference solution:\n{reference}\n\nHere is an attempt that came to a wrong answer, step by "
    "step:\n{steps}\n\nCheck each step against the reference. Then write one line, the number of the first wrong step, "
    "a colon, and the one step that should stand in its place, as in `Step 3: x is 2`. Do not give the final answer."
)
Prefix = Literal["learned", "given"]
"""Whether the steps before a correction are imitated too, as published, or only stand before it."""


class Correction(NamedTuple):
    """A step to be replaced: the attempt's text before it, and what stands in its place, its end included."""

    kept: str
    step: str


@dataclass(frozen=True)
class Wording:
    """How a model is asked for a correction, and how its reply is read.

    asked       the question; {prompt}, {reference}, {attempt} and {steps}, which are numbered, stand for what they say
    between     what ends a step
    concluding  a correction with this in it gives the answer away and is left out; empty for none
    """

    asked: str = ASKED
    between: str = "\n\n"
    concluding: str = "\\boxed"

    def __post_init__(self) -> None:
        if not self.between:
            raise UserError("between is the string that ends a step, and must not be empty")

    def question(self, problem: Problem, attempt: str) -> Problem:
        """The problem that asks for a correction of this attempt, with noise of its own."""
        chat = not isinstance(problem.input, str)
        said = problem.input[-1]["content"] if chat else problem.input
        if not isinstance(said, str):
            raise UserError(
                f"problem {problem.index} of {problem.task} is not asked in words alone, as corrections are; try relift"
            )
        steps = [step for step in attempt.split(self.between) if step]
        told = {
            "prompt": said,
            "reference": str(problem.lesson),
            "attempt": attempt,
            "steps": "\n".join(f"Step {number}: {step}" for number, step in enumerate(steps, 1)),
        }
        # not `format`: what is asked may have braces of its own, and so may what stands for them
        text = re.sub(r"\{(prompt|reference|attempt|steps)\}", lambda found: told[found[1]], self.asked)
        asked = [*problem.input[:-1], {**problem.input[-1], "content": text}] if chat else text
        return replace(problem, input=asked, task=f"{problem.task}/intervention", demonstration=None)

    def read(self, attempt: str, reply: str) -> Correction | None:
        """What a reply proposes: its last `Step 3: …` or `3: …`, up to the end of a step.

        None where it proposes nothing, a step that there is not, the step that stands there, or the conclusion.
        """
        found = re.findall(r"(?ims)^\W*(?:step\s+)?(\d+)\s*:[ \t]*(.*?)(?=^\W*(?:step\s+)?\d+\s*:|\Z)", reply)
        if not found:
            return None
        number, step = int(found[-1][0]), found[-1][1].strip().split(self.between)[0].strip()
        steps = [one for one in attempt.split(self.between) if one]
        if not step or not 1 <= number <= len(steps) or step == steps[number - 1].strip():
            return None
        if self.concluding and self.concluding in step:
            return None
        return Correction("".join(one + self.between for one in steps[: number - 1]), step + self.between)


Proposer = Callable[[Any, Sequence[Problem], Sequence[str], int], list[Correction | None]]
"""`(policy, problems, attempts, seed) -> corrections`, one of each failed attempt, None where there is none."""


def proposed(wording: Wording) -> Proposer:
    """The model's own corrections; none where it cannot read what it is to be asked, an attempt that is too long."""

    def propose(
        policy: Any, problems: Sequence[Problem], attempts: Sequence[str], seed: int
    ) -> list[Correction | None]:
        questions = [wording.question(one, attempt) for one, attempt in zip(problems, attempts, strict=True)]
        rows = [row for row, question in enumerate(questions) if readable(policy, question)]
        found: list[Correction | None] = [None] * len(questions)
        replies = policy.sample([questions[row] for row in rows], 1, seed).outputs if rows else []
        for row, reply in zip(rows, replies, strict=True):
            found[row] = wording.read(attempts[row], str(reply))
        return found

    return propose


def interventions(
    steps: int,
    propose: Proposer,
    prefix: Prefix = "learned",
    tried: int = 0,
    solved: float = 1.0,
    collect: Collect = one_batch,
) -> Collect:
    """For `steps` steps, corrections of the failed rows of groups that nobody has solved; `collect` from then on.

    steps    of the first stage; each draws its problems as any other step does
    propose  who corrects, see `proposed`
    prefix   whether what stands before a correction is imitated too
    tried    continuations of each correction that are drawn; it is kept if one of them is right. 0 keeps all
    solved   the reward from which a row is right
    collect  where the rows come from after that

    The first row of each group none of whose rows is right is corrected, if its problem has a reference (`lesson`). The
    column `demonstrated` is as in `Hardest`. A row has no end on its mask: what follows is the model's own affair.
    Notes `interventions/failed`, groups that nobody has solved, `interventions/read`, corrections that were made of
    them, and `interventions/kept`. steps=0 is `collect`, draw for draw.
    """
    if steps < 0 or tried < 0:
        raise UserError(f"interventions take at least 0 steps and at least 0 tries; got {steps} and {tried}")

    def first(source: Source) -> Rollouts:
        if source.steps_done >= steps:
            return collect(source)
        drawn = source.draw(source.prompts)
        failed = _failed(drawn, solved)
        with source.runtime.gathered():  # by all processes, also by one that has nothing to correct
            taught = _corrections(source, drawn[failed], propose)
            kept = _fruitful(source, taught, tried, solved) if tried else torch.arange(len(taught))
        counts = torch.tensor([[len(failed), len(taught), len(kept)]], device=drawn.mask.device)
        names = ("interventions/failed", "interventions/read", "interventions/kept")
        source.notes.update(zip(names, source.runtime.gather(counts).sum(0).tolist(), strict=True))
        rows = _silent(drawn) if not len(kept) else taught.rows[kept.tolist()]
        before = taught.before[kept] if len(kept) and prefix == "given" else torch.zeros(len(rows), dtype=torch.long)
        return _own(rows, before)

    return first


class _Taught(NamedTuple):
    """Demonstrated corrections, and how many decisions stand before each of them."""

    rows: Rollouts
    before: Int[Tensor, "N"]

    def __len__(self) -> int:
        return len(self.before)


def _corrections(source: Source, failed: Rollouts, propose: Proposer) -> _Taught:
    """What is proposed of these rows, each at the place of its group."""
    problems, attempts = failed.problems, [str(output) for output in failed.outputs]
    found = propose(source.policy, problems, attempts, source.seed) if len(failed) else []
    rows = [row for row, correction in enumerate(found) if correction is not None]
    if not rows:
        return _Taught(failed[:0], torch.zeros(0, dtype=torch.long))
    corrections = [correction for correction in found if correction is not None]
    made, before = continued(source.policy, [problems[row] for row in rows], corrections, source.seed)
    rewards = torch.full((len(rows),), torch.nan, device=made.mask.device)
    made = replace(made, group=failed.group).fill(position=failed.position[rows] // failed.group, rewards=rewards)
    return _Taught(made, before)


def continued(
    policy: Any, problems: Sequence[Problem], parts: Sequence[tuple[str, str]], seed: int
) -> tuple[Rollouts, Int[Tensor, "N"]]:
    """Demonstrations of two texts one after the other, their end included, and how many decisions the first has.

    Where a token reaches over from the first into the second, it is the second's.
    """
    told = [replace(one, demonstration=kept + rest) for one, (kept, rest) in zip(problems, parts, strict=True)]
    rows = policy.demonstrate(told, seed)
    kept = [replace(one, demonstration=text) for one, (text, _) in zip(problems, parts, strict=True)]
    pairs = zip(policy.demonstrate(kept, seed).outputs, rows.outputs, strict=True)
    return rows, torch.tensor([_common(one.tokens[:-1], two.tokens) for one, two in pairs], dtype=torch.long)


def _common(one: Sequence[int], two: Sequence[int]) -> int:
    """How many tokens are the same from the beginning on."""
    apart = (place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    return next(apart, min(len(one), len(two)))


def between(rows: Rollouts, before: Int[Tensor, "N"]) -> Bool[Tensor, "N D"]:
    """The decisions of demonstrations from these places on, without the last, their end."""
    place = torch.arange(rows.mask.shape[1], device=rows.mask.device)
    end = rows.mask.sum(1, keepdim=True) - 1
    return rows.mask & (place >= before.to(place.device)[:, None]) & (place < end)


def _own(rows: Rollouts, before: Tensor) -> Rollouts:
    """The rows without what stands before these places, and without their end, which nobody has proposed."""
    mask = between(rows, before)
    shown = torch.full((len(rows),), True, device=mask.device)
    return replace(rows, mask=mask, logp_old=torch.where(mask, rows.logp_old, 0)).fill(demonstrated=shown)


def _failed(drawn: Rollouts, solved: float) -> list[int]:
    """The first wrong row of each group that has no right one, and a problem with a reference."""
    groups = drawn.rewards.reshape(-1, drawn.group)
    firsts = torch.where(groups.isnan(), 0, groups < solved).int().argmax(1).tolist()
    hard = ((groups < solved) | groups.isnan()).all(1) & ~groups.isnan().all(1)
    rows = [group * drawn.group + first for group, first in enumerate(firsts) if hard[group]]
    return [row for row in rows if drawn.problems[row].lesson is not None]


def _fruitful(source: Source, taught: _Taught, tried: int, solved: float) -> Int[Tensor, "K"]:
    """The corrections of which one of so many continuations is right."""
    if not len(taught):
        return torch.zeros(0, dtype=torch.long)
    ends = taught.rows.mask.sum(1) - 1
    more = source.resume(taught.rows, ends, tried)
    return (more.rewards.reshape(-1, tried) >= solved).any(1).nonzero()[:, 0].cpu()


def _silent(drawn: Rollouts) -> Rollouts:
    """One row that decides nothing, where there is no correction: every process has one at least."""
    return replace(drawn[:1], mask=torch.zeros_like(drawn.mask[:1]))


def readable(policy: Any, problem: Problem) -> bool:
    """Whether the policy can be asked this: `types.Checking` finds it too long, or refuses it, otherwise."""
    try:
        policy.check([problem])
    except UserError:
        return False
    return True
