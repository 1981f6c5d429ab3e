"""Looking again until the answers agree: more frames of a film for the questions that need them. Trains nothing.

Sparse-to-dense test-time scaling of Video-RTS (Wang et al. 2025, arXiv:2507.06485, Section 3.3): answers are drawn at
several temperatures from a sparse view; if all are one they are it, else the view becomes twice as dense, until it is
as dense as it may be, where the majority decides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch

from rlft.types import Problem, Rollouts, Sampler, UserError

TEMPERATURES = (0.8, 0.95, 1.1, 1.25, 1.4)
TOP_P = 0.7, 0.95
_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_AFTER = re.compile(r".*\banswer\b(?:\s+is)?\s*[:=]?\s*(.+)", re.DOTALL | re.IGNORECASE)
_LETTER = re.compile(r"\(?([A-Z])\)?(?:[.):,]|\s|$)")


class Views(NamedTuple):
    """How a problem is viewed: of `tasks.films` they are `viewed` and `frames_of`.

    denser  the problem with so many frames of what it shows, anew from the whole
    count   how many it shows; 0 where there is nothing to view
    """

    denser: Callable[[Problem, int], Problem]
    count: Callable[[Problem], int]


@runtime_checkable
class Tempered(Sampler, Protocol):
    """A policy that can be drawn from otherwise, such as `Language`."""

    def with_sampling(self, **told: Any) -> Sampler:
        """The same weights at another temperature and nucleus."""
        ...


def said(text: str) -> str | None:
    """What a text answers, to be compared with other answers: the last `<answer>`, else what follows `answer:`, else
    all of it if it is a line; of these an option's letter where one stands in front, in lower case. None of a text that
    answers nothing."""
    tags = _TAG.findall(text)
    found = _AFTER.fullmatch(text)
    span = (tags[-1] if tags else found[1] if found else text).strip()
    if not span or "\n" in span:
        return None
    letter = _LETTER.match(span)
    return (letter[1] if letter else span.rstrip(".")).casefold()


@dataclass
class Looked:
    """What looking has cost, summed over rows.

    frames   that votes have read, each vote all of its view
    encoded  that were new to a tower which reads each view once for all votes
    looks    views
    tokens   that votes have written
    agreed   rows whose votes were one
    rows     that came out
    """

    frames: int = 0
    encoded: int = 0
    looks: int = 0
    tokens: int = 0
    agreed: int = 0
    rows: int = 0

    def per_row(self) -> dict[str, float]:
        """Each for a row: `frames`, `frames/encoded`, `looks`, `tokens`, and the share that `agreed`."""
        rows = max(self.rows, 1)
        told = {"frames": self.frames, "frames/encoded": self.encoded, "looks": self.looks, "tokens": self.tokens}
        return {**{name: count / rows for name, count in told.items()}, "agreed": self.agreed / rows}


@dataclass(frozen=True)
class SparseToDense:
    """Votes of a policy about a film of which more and more is shown.

    policy        what answers
    views         how more is shown
    frames        of the first view; the next has twice as many, and the last `most`
    most          with most = frames it is the majority of one view
    temperatures  one vote each; `top_p` goes evenly over them, from the first to the second
    read          what a text answers; an answer that is None agrees with none, itself neither

    A row that comes out is the first vote for its answer, with its problem as it was viewed. Of equally many votes the
    answer that was said first counts, and of no answer at all the first vote. Noise is the row's own, so rows do not
    depend on each other. Where p(a) is the chance of each answer, a view is the last with Σ p(a)^votes (`unanimous`).
    """

    policy: Tempered
    views: Views
    frames: int = 32
    most: int = 128
    temperatures: Sequence[float] = TEMPERATURES
    top_p: tuple[float, float] = TOP_P
    read: Callable[[str], str | None] = said
    spent: Looked = field(default_factory=Looked)

    def __post_init__(self) -> None:
        if not 1 <= self.frames <= self.most or not self.temperatures:
            raise UserError(
                f"a first view of {self.frames} frames, at most {self.most}, and {len(self.temperatures)} votes: at "
                "least one frame and one vote, and no more in the first view than at most"
            )

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` rows for each problem, each with votes of its own."""
        rows = [problem for problem in problems for _ in range(group)]
        kept: dict[int, Rollouts] = {}
        going, frames, before = list(range(len(rows))), self.frames, 0
        while going and frames > before:
            views = {i: self.views.denser(rows[i], frames) for i in going}
            self._check(views.values())
            # A film that has no more frames has been decided.
            going = [i for i in going if i not in kept or self._count(views[i]) > self._count(kept[i].problems[0])]
            if not going:
                break
            votes = self._votes([views[i] for i in going], going, group, seed)
            on = []
            for place, i in enumerate(going):
                answers = [self.read(str(vote.outputs[place])) for vote in votes]
                first = votes[_majority(answers)][[place]]
                kept[i] = replace(first, problems=(views[i],), group=1)
                agreed = answers[0] is not None and len(set(answers)) == 1
                self.spent.agreed += agreed
                on += [] if agreed else [i]
            going, before, frames = on, frames, min(2 * frames, self.most)
        self.spent.rows += len(rows)
        return replace(Rollouts.concat([kept[i] for i in range(len(rows))]), group=group)

    def _votes(self, seen: Sequence[Problem], going: Sequence[int], group: int, seed: int) -> list[Rollouts]:
        """A rollout of each problem from every temperature."""
        votes, (low, high) = [], self.top_p
        for number, temperature in enumerate(self.temperatures):
            share = number / max(len(self.temperatures) - 1, 1)
            drawn = self.policy.with_sampling(temperature=temperature, top_p=low + share * (high - low))
            # The view and the vote are part of the name that noise is keyed by.
            asked = [
                replace(problem, task=f"{problem.task}/look/{self._count(problem)}/{number}/{i % group}")
                for problem, i in zip(seen, going, strict=True)
            ]
            votes.append(drawn.sample(asked, 1, seed))
        self.spent.frames += len(votes) * sum(map(self._count, seen))
        self.spent.encoded += sum(map(self._count, seen))
        self.spent.looks += len(seen)
        self.spent.tokens += sum(int(vote.mask.sum()) for vote in votes)
        return votes

    def _count(self, problem: Problem) -> int:
        return self.views.count(problem)

    def _check(self, seen: Iterable[Problem]) -> None:
        still = next((problem for problem in seen if not self._count(problem)), None)
        if still is not None:
            raise UserError(f"problem {still.index} of {still.task} shows no film, so it cannot be viewed more densely")


def _majority(answers: Sequence[str | None]) -> int:
    """Which vote is the first for the answer that most have; the first of all where none has one."""
    counted = Counter(answer for answer in answers if answer is not None)
    return answers.index(counted.most_common(1)[0][0]) if counted else 0


def unanimous(chances: Sequence[float], votes: int = len(TEMPERATURES)) -> float:
    """The chance that independent votes are one: Σ p(a)^votes."""
    return sum(chance**votes for chance in chances)


def expected_frames(frames: Sequence[int], agreed: Sequence[float], votes: int = len(TEMPERATURES)) -> float:
    """Frames that votes read of a row: Σ_l votes·n_l·Π_{j<l} (1 - u_j), for views of n_l whose votes agree with u_l."""
    total, left = 0.0, 1.0
    for count, share in zip(frames, agreed, strict=True):
        total, left = total + votes * count * left, left * (1 - share)
    return total
