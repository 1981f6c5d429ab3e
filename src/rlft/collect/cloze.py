"""Rows that predict what was masked in texts, and rows that choose what is masked: two kinds of groups in one batch.

    r_pred = 1[what stood there]        r_gen = 1 - mean of its G r_pred, 0 where none of them is 1

A text is a problem's prompt. Of P texts a model that chooses draws G spans each, and predicts each of these G times:
P + P·G groups of G, each of one prompt (PretrainZero, arXiv:2512.03442). What a prediction earns is the run's reward,
whose answer is the span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.advantages.group import everyone
from rlft.collect.interventions import readable
from rlft.collect.masks import Masking, Span, spoken, text_of
from rlft.collect.sources import varied
from rlft.noise import permuted
from rlft.types import Collect, Problem, Rollouts, Source, UserError

_TRIED = 8  # texts that are looked at for each that is needed, in search of some that the model can read
_AT_ONCE = 8  # texts whose entropies are computed together

Choose = Callable[[Source, Sequence[Problem]], list[list[Span]]]
"""`(source, problems) -> spans` of each text, on every process the same."""

Unpredicted = Literal["unpaid", "paid"]
"""What a span earns that no prediction gets right: nothing, or 1, as the hardest of all."""


@dataclass(frozen=True)
class Pay:
    """What choosing a span earns.

    unpredicted  of one that no prediction gets right, see `Unpredicted`
    invalid      of a reply that chooses none
    solved       the reward from which a prediction is right
    """

    unpredicted: Unpredicted = "unpaid"
    invalid: float = 0.0
    solved: float = 1.0

    def of(self, rewards: Float[Tensor, "M G"]) -> Float[Tensor, "M"]:
        """1 - the share of right predictions of each span; NaN, of rows that could not be scored, is passed over."""
        right = torch.where(rewards.isnan(), torch.nan, (rewards >= self.solved).to(rewards))
        earned = 1 - right.nanmean(1)
        return torch.where(earned == 1, 0.0, earned) if self.unpredicted == "unpaid" else earned


def by_lot(masking: Masking, count: int | None = None) -> Choose:
    """`count` words of each text, or all where it has fewer, drawn anew at every visit; None is as many as a group has
    rows."""

    def choose(source: Source, problems: Sequence[Problem]) -> list[list[Span]]:
        found = []
        for problem in problems:
            words = masking.words(text_of(problem))
            key, most = ("masks", source.seed, *problem.key), min(count or source.group, len(words))
            found.append([words[permuted(place, len(words), *key)] for place in range(most)])
        return found

    return choose


def by_entropy(masking: Masking, count: int) -> Choose:
    """The `count` words of each text that the policy is least sure of: those with the most entropy before a token.

    The text is read from left to right, up to its first word as a prompt. It needs `HasEntropy` and `Writing`.
    """

    def choose(source: Source, problems: Sequence[Problem]) -> list[list[Span]]:
        found = []
        with source.runtime.gathered(), torch.no_grad():
            for first in range(0, len(problems), _AT_ONCE):
                found += _unsure(source.policy, masking, problems[first : first + _AT_ONCE], source.seed)
        ranked = [sorted(words, key=lambda word: -words[word]) for words in found]
        width = max(map(len, ranked), default=0)
        table = [[(*span, 1) for span in row] + [(0, 0, 0)] * (width - len(row)) for row in ranked]
        # the first process decides: elsewhere sums may be rounded otherwise
        told = source.runtime.gather(torch.tensor(table).reshape(len(ranked), width, 3))[: len(ranked)]
        return [[Span(begin, end) for begin, end, there in row if there][:count] for row in told.tolist()]

    return choose


def predicted(choose: Choose, masking: Masking) -> Collect:
    """Predictions of what is chosen of the task's next P texts: groups of one kind.

    With one span of each text it is `one_batch` of these questions, draw for draw, but for texts that are too long.
    Notes `masks/asked`.
    """

    def collect(source: Source) -> Rollouts:
        problems = _texts(source, masking)
        asked = [
            masking.prediction(problem, span, number)
            for problem, spans in zip(problems, choose(source, problems), strict=True)
            for number, span in enumerate(spans)
        ]
        asked = [question for question in asked if readable(source.policy, question)]
        if len(asked) < source.runtime.world:
            raise UserError(
                f"{len(asked)} words could be masked in {len(problems)} texts: give longer texts, more prompts, or say "
                "with word what a word is"
            )
        source.notes["masks/asked"] = len(asked)
        return source.rewarded(source.rows_of(asked))

    return collect


def proposed(masking: Masking, pay: Pay = Pay()) -> Collect:
    """Spans that the policy chooses of the task's next P texts, and behind them predictions: groups of two kinds.

    Where fewer spans were chosen than there are processes, none is predicted and none paid. Notes `masks/valid`, the
    share of replies that choose a span, `masks/asked`, `masks/predicted`, the share of these spans that some prediction
    gets right, and `masks/paid`, what they earn on average.
    """

    def collect(source: Source) -> Rollouts:
        problems, group = _texts(source, masking), source.group
        drawn = source.rows_of([masking.question(problem) for problem in problems])
        spans, place = everyone(_chosen(drawn, problems, masking), drawn, source.runtime)
        asked: dict[int, Problem] = {}
        for row, (begin, end) in enumerate(spans.tolist()):
            if end:
                question = masking.prediction(problems[row // group], Span(begin, end), row % group)
                if readable(source.policy, question):
                    asked[row] = question
        earned = torch.full((len(spans),), pay.invalid)
        source.notes.update({"masks/valid": len(asked) / len(spans), "masks/asked": len(asked)})
        if len(asked) < max(source.runtime.world, 1):
            earned[list(asked)] = torch.nan
            return drawn.fill(rewards=earned[place.cpu()].to(drawn.mask.device))
        answers = source.rewarded(source.rows_of(list(asked.values())))
        rewards = everyone(answers.rewards, answers, source.runtime)[0].cpu().reshape(-1, group)
        paid = pay.of(rewards)
        earned[list(asked)] = paid.to(earned)
        some = float((rewards >= pay.solved).any(1).double().mean())
        source.notes.update({"masks/predicted": some, "masks/paid": float(paid.double().nanmean())})
        drawn = drawn.fill(rewards=earned[place.cpu()].to(answers.rewards))
        return _behind(drawn, answers, len(spans))

    return collect


def first_then(steps: int, first: Collect, then: Collect) -> Collect:
    """`first` for so many steps, and `then` from there on."""
    return lambda source: (first if source.steps_done < steps else then)(source)


def unlike(collect: Collect) -> Collect:
    """The groups of `collect` whose rewards differ, and no others: they take no part in means, and cost no pass.

    Notes `groups/used`, their share. A step without one learns nothing.
    """

    def kept(source: Source) -> Rollouts:
        rollouts = collect(source)
        rewards, place = everyone(rollouts.rewards, rollouts, source.runtime)
        group = rollouts.group
        good = varied(rewards.reshape(-1, group))
        source.notes["groups/used"] = float(good.double().mean())
        number = good.cumsum(0) - 1
        rows = good[place // group].nonzero()[:, 0]
        if not len(rows) and source.runtime.lockstep:
            # a sharded model passes as often in every process, so each has rows to do it with, which decide nothing
            silent = rollouts[:group].place(len(rewards) + place[:group])
            return replace(silent, mask=torch.zeros_like(silent.mask), logp_old=torch.zeros_like(silent.logp_old))
        at = place[rows]
        return rollouts[rows.cpu()].place(number[at // group] * group + at % group)

    return kept


def _texts(source: Source, masking: Masking) -> list[Problem]:
    """The task's next P texts that the model can be asked about."""
    found: list[Problem] = []
    for _ in range(_TRIED * source.prompts):
        (problem,) = source.take(1)
        if all(readable(source.policy, one) for one in (masking.question(problem), masking.whole(problem))):
            found.append(problem)
        if len(found) == source.prompts:
            return found
    raise UserError(
        f"of {_TRIED * source.prompts} texts the model can read {len(found)} with room for its answer; cut them into "
        "shorter ones"
    )


def _chosen(drawn: Rollouts, problems: Sequence[Problem], masking: Masking) -> Int[Tensor, "N 2"]:
    """Begin and end of the span that each row chooses; twice 0 where it chooses none."""
    spans = []
    for row, place in enumerate(drawn.position.tolist()):
        spans.append(masking.read(text_of(problems[place // drawn.group]), str(drawn.outputs[row])) or Span(0, 0))
    return torch.tensor(spans, device=drawn.mask.device).reshape(-1, 2)


def _behind(drawn: Rollouts, answers: Rollouts, rows: int) -> Rollouts:
    """Both, the second behind the first; what was filled for answers alone is 0 for those who chose."""
    for name, values in answers.filled.items():
        if not drawn.has(name):
            drawn = drawn.fill(**{name: values.new_zeros(drawn.mask.shape)})
    drawn = replace(drawn, filled={name: drawn.filled[name] for name in answers.filled})
    return Rollouts.concat([drawn, answers.place(answers.position + rows)])


def _unsure(policy: Any, masking: Masking, problems: Sequence[Problem], seed: int) -> list[dict[Span, float]]:
    """The words of each text with the largest entropy before a token of each; not one that has nothing before it."""
    found: list[dict[Span, float]] = [{} for _ in problems]
    told: list[tuple[int, int, list[Span]]] = []
    lessons = []
    for number, problem in enumerate(problems):
        words = masking.words(text := text_of(problem))
        if not words:
            continue
        cut = words[0].begin or words[0].end
        rest = [word for word in words if word.begin >= cut]
        if rest:
            told.append((number, cut, rest))
            lessons.append(replace(spoken(problem, text[:cut]), demonstration=text[cut:]))
    if not lessons:
        return found
    rows = policy.demonstrate(lessons, seed)
    entropies = policy.entropy(rows)
    for row, (number, cut, rest) in enumerate(told):
        ends = policy.placed(rows.outputs[row], [place - cut for word in rest for place in word])
        for word, first, last in zip(rest, ends[::2], ends[1::2], strict=True):
            found[number][word] = float(entropies[row, first : max(last, first + 1)].max())
    return found
