"""Critiques of single steps as credit, `critique` and `served_critique`: which passages of a row are wrong.

They pay nothing. A method that gives credit by them is `capo` (arXiv:2508.02298); the reward of the whole row stands
beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor

from rlft.models.writer import Writer
from rlft.rewards.critiques.steps import PARAGRAPHS, Steps, numbered
from rlft.rewards.critiques.votes import NAMED, Listed, Wrong, rule_of, shares
from rlft.rewards.judging.asked import Template, template
from rlft.rewards.judging.judge import Judge, judging
from rlft.types import Blame, Parts, Problem, Reward, Stateful, UserError

ASKED = (
    "{prompt}\n\nHere is a solution of it, step by step:\n\n{steps}\n\nLook at each step in its turn and say whether "
    "it is right in itself: a step that only goes on from an earlier mistake, without a new one, is right. End with a "
    "line that names the numbers of all wrong steps, as in `Wrong steps: 2, 5`, or says `Wrong steps: none`."
)


@runtime_checkable
class Critic(Protocol):
    """Who critiques rows, once or several times: a language model, a function."""

    def __call__(
        self, problems: Sequence[Problem], outputs: Sequence[Any], steps: Sequence[Sequence[str]]
    ) -> tuple[list[list[Wrong | None]], Mapping[str, Tensor]]:
        """Of each row its critiques, None for one that cannot be read, and numbers [N] that are watched."""
        ...


@runtime_checkable
class Reads(Protocol):
    """How a critique is read: `votes.Listed`, or what behaves as it does."""

    def wrong(self, reply: str, steps: int) -> Wrong | None:
        """What a critique of so many steps calls wrong; None where it cannot be read."""
        ...


@runtime_checkable
class Writes(Protocol):
    """Who writes a critic's replies: `models.writer.Writer`, or what behaves as it does."""

    def replies(self, texts: Sequence[str], votes: int = 1, batch: int = 16) -> list[list[str | None] | None]:
        """`votes` replies to each text, None for one that is cut off; None instead for a text that is too long."""
        ...


def critique(
    model: str,
    *,
    prompt: str = ASKED,
    steps: str = PARAGRAPHS,
    reads: str = NAMED,
    rule: str = "intersection",
    votes: int = 4,
    temperature: float = 0.7,
    max_tokens: int = 1024,
    batch: int = 16,
    dtype: str = "float32",
    device: str | None = None,
) -> Reward:
    """Which steps of a row a language model in this process calls wrong. Xie et al. 2025, arXiv:2508.02298.

    model        a folder or hub id of a causal model; with a chat template the prompt is a user's message
    prompt       a file, or the text itself, with {steps}, numbered, {prompt}, {completion} and other fields, see
                 `judging.asked.Template`
    steps        a regular expression: behind each match a step ends; at blank lines by default
    reads        how a critique is read, see `votes.Listed`
    rule         how critiques are put together: intersection, majority, average, union, see `votes.RULES`
    votes        critiques of each row; several need a temperature. Equal texts have equal critiques
    max_tokens   of a critique; one that is cut off cannot be read
    batch        texts in one pass, which changes no number by more than rounding

    One that cannot be read is no vote; a row without any is blamed for nothing. Watched, on average over rows: steps,
    wrong (steps, by the rule), votes (read), unread (critiques) and silent (rows without a vote).
    """
    _check(votes, temperature)
    writer = Writer.load(model, max_tokens, temperature, dtype, device)
    return Critique(Written(writer, template(prompt), Listed(reads), votes, batch), Steps(steps), rule)


def served_critique(
    *,
    url: str,
    model: str,
    prompt: str = ASKED,
    steps: str = PARAGRAPHS,
    reads: str = NAMED,
    rule: str = "intersection",
    votes: int = 4,
    temperature: float = 0.7,
    max_tokens: int = 1024,
    concurrency: int = 16,
    timeout: float = 120.0,
    patience: float = 300.0,
    cache: str = "",
    price: Sequence[float] = (0.0, 0.0),
    key: str = "OPENAI_API_KEY",
    extra: Mapping[str, Any] | None = None,
) -> Reward:
    """The same by a model behind an OpenAI-compatible server; its settings are `judge`'s, and so is what is watched."""
    _check(votes, temperature)
    body = {"model": model, "temperature": temperature, "max_tokens": max_tokens, **dict(extra or {})}
    asked = judging(url, key, timeout, patience, body, prompt, Listed(reads), cache, votes, concurrency, price)
    return Critique(Served(asked, Listed(reads)), Steps(steps), rule)


def by_function(f: Callable[[Problem, Sequence[str]], Iterable[int] | None]) -> Critic:
    """A critic of a function of a problem and its steps that returns the wrong ones' numbers, from 1; None is no
    vote."""

    def critic(
        problems: Sequence[Problem], outputs: Sequence[Any], steps: Sequence[Sequence[str]]
    ) -> tuple[list[list[Wrong | None]], Mapping[str, Tensor]]:
        found = [f(problem, own) for problem, own in zip(problems, steps, strict=True)]
        return [[None if wrong is None else frozenset(wrong)] for wrong in found], {}

    return critic


def _check(votes: int, temperature: float) -> None:
    if votes < 1 or not temperature >= 0:
        raise UserError(f"votes={votes} must be at least 1 and temperature={temperature} not negative")
    if votes > 1 and not temperature > 0:
        raise UserError(f"{votes} critiques at temperature 0 are {votes} times the same: give temperature=0.7, say")


@final
class Critique:
    """The reward that `critique` makes: no part of its own, and of each row the blame of its steps."""

    def __init__(self, critic: Critic, steps: Steps = Steps(), rule: str = "intersection"):
        rule_of(rule)
        self.critic, self.steps, self.rule = critic, steps, rule

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        passages = [self.steps.of(str(outputs[row])) for row in range(len(problems))]
        votes, watch = self._votes(problems, outputs, passages)
        found = [shares(own, len(steps), self.rule) for own, steps in zip(votes, passages, strict=True)]
        read = [sum(vote is not None for vote in own) for own in votes]
        counted = {
            "steps": [len(steps) for steps in passages],
            "wrong": [sum(row) for row in found],
            "votes": read,
            "unread": [len(own) - count for own, count in zip(votes, read, strict=True)],
            "silent": [float(bool(steps) and not count) for steps, count in zip(passages, read, strict=True)],
        }
        told = {name: torch.tensor(values, dtype=torch.float32) for name, values in counted.items()}
        blame = [
            [Blame(*step, share) for step, share in zip(steps, row, strict=True) if share]
            for steps, row in zip(passages, found, strict=True)
        ]
        return Parts({}, {**watch, **told}, blame)

    def explain(self, problem: Problem, output: Any) -> str:
        """The votes, and what they come to."""
        passages = [self.steps.of(str(output))]
        votes, _ = self._votes([problem], [output], passages)
        told = ["unread" if v is None else " ".join(map(str, sorted(v))) or "none" for v in votes[0]]
        found = [number for number, s in enumerate(shares(votes[0], len(passages[0]), self.rule), 1) if s]
        return f"{len(passages[0])} steps; wrong: {'; '.join(told)}; by {self.rule}: {found or 'none'}"

    def state_dict(self) -> dict[str, Any]:
        """The critic's, who may remember nothing."""
        return self.critic.state_dict() if isinstance(self.critic, Stateful) else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let it remember that."""
        if isinstance(self.critic, Stateful):
            self.critic.load_state_dict(state)

    def _votes(
        self, problems: Sequence[Problem], outputs: Any, passages: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[list[list[Wrong | None]], dict[str, Tensor]]:
        """The critiques of all rows; one without a step is not asked about."""
        asked = [row for row, steps in enumerate(passages) if steps]
        votes: list[list[Wrong | None]] = [[] for _ in passages]
        if not asked:
            return votes, {}
        rows = [outputs[row] for row in asked]
        texts = [[str(outputs[row])[begin:end] for begin, end in passages[row]] for row in asked]
        found, watch = self.critic([problems[row] for row in asked], rows, texts)
        for row, own in zip(asked, found, strict=True):
            votes[row] = own
        place = torch.tensor(asked)
        return votes, {name: torch.zeros(len(passages)).index_put((place,), v.float()) for name, v in watch.items()}


@final
class Written:
    """A critic that writes in this process; `writer` may be a small model of one's own."""

    def __init__(self, writer: Writes, template: Template, reading: Reads = Listed(), votes: int = 4, batch: int = 16):
        if batch < 1:
            raise UserError(f"batch={batch} must be at least 1")
        self.writer, self.template, self.reading, self.votes, self.batch = writer, template, reading, votes, batch

    def __call__(
        self, problems: Sequence[Problem], outputs: Sequence[Any], steps: Sequence[Sequence[str]]
    ) -> tuple[list[list[Wrong | None]], Mapping[str, Tensor]]:
        pairs = zip(problems, outputs, steps, strict=True)
        texts = [self.template.filled(with_steps(problem, own), output) for problem, output, own in pairs]
        place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        replies = self.writer.replies(list(place), self.votes, self.batch)
        long = torch.tensor([float(replies[place[text]] is None) for text in texts])
        votes = [self._read(replies[place[text]], len(own)) for text, own in zip(texts, steps, strict=True)]
        return votes, {"too_long": long}

    def _read(self, replies: Sequence[str | None] | None, steps: int) -> list[Wrong | None]:
        if replies is None:
            return [None] * self.votes
        return [None if reply is None else self.reading.wrong(reply, steps) for reply in replies]


@final
class Served:
    """A critic behind a server."""

    def __init__(self, judge: Judge, reading: Listed = Listed()):
        self.judge, self.reading = judge, reading

    def __call__(
        self, problems: Sequence[Problem], outputs: Sequence[Any], steps: Sequence[Sequence[str]]
    ) -> tuple[list[list[Wrong | None]], Mapping[str, Tensor]]:
        shown = [with_steps(problem, own) for problem, own in zip(problems, steps, strict=True)]
        replies, watch = self.judge.replied(shown, outputs)
        votes = [
            [None if reply is None else self.reading.wrong(reply, len(own)) for reply in row]
            for row, own in zip(replies, steps, strict=True)
        ]
        return votes, {name: values for name, values in watch.items() if name != "unread"}

    def state_dict(self) -> dict[str, Any]:
        """The judge's."""
        return self.judge.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let it remember that."""
        self.judge.load_state_dict(state)


def with_steps(problem: Problem, steps: Sequence[str]) -> Problem:
    """The problem with these steps, numbered, as its column `steps`."""
    return replace(problem, columns={**problem.columns, "steps": numbered(steps)})
