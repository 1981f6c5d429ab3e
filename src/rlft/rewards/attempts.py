"""What a policy earns that writes prompts for a frozen generator (`environments.generated`), and who judges for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.environments.generated import Attempt, Generated, Judge, Judged
from rlft.rewards.adapt import adapted, column, explained
from rlft.types import Problem, Reward, Transcript, UserError


def by_reward(reward: Reward, enough: float = 1.0) -> Judge:
    """A judge that says what a reward explains; one error where it gives less than enough."""
    scored = adapted(reward)

    def judge(problems: Sequence[Problem], outputs: Sequence[Any]) -> list[Judged]:
        found = scored(problems, outputs)
        parts = list(found.values()) if isinstance(found, Mapping) else [found]
        if any(isinstance(part, Tensor) and part.ndim > 1 for part in parts):
            raise UserError("what a generator writes is judged as a whole; the reward gives one for each decision")
        columns = torch.stack([column(part) for part in parts])
        total = columns.nansum(0).where(~columns.isnan().all(0), torch.nan)
        return [_judged(reward, *row, enough) for row in zip(problems, outputs, total.tolist(), strict=True)]

    return judge


def _judged(reward: Reward, problem: Problem, output: Any, score: float, enough: float) -> Judged:
    if score != score:
        return Judged(None)
    return Judged(score, int(score < enough), "" if score >= enough else explained(reward, problem, output))


@final
class LastAttempt:
    """The score of the last attempt of each conversation; NaN where it has none."""

    def __init__(self, generated: Generated):
        self.generated = generated

    def __call__(self, problems: Sequence[Problem], outputs: Sequence[Transcript]) -> Float[Tensor, "N"]:
        return column([each[-1].judged.score for each in _attempts(self.generated, problems, outputs)])

    def explain(self, problem: Problem, output: Transcript) -> str:
        """What was advised, and what was said of what came of it."""
        return _told(_attempts(self.generated, [problem], [output])[0])


@final
@dataclass(frozen=True)
class Discounted:
    """The return of a conversation, as PREFACE pays it (arXiv:2509.06239):

        sum_t gamma^t r_t,    r_t = `success` where nothing is wrong, else `failure` + `error` · errors; `empty` for no
        word

    Of `turns` attempts those that a conversation has not come to, as a turn of it was cut off, count as empty, so that
    it does not pay to end before the verifier can say more. NaN where an attempt has no score. What success and an
    empty turn earn the paper's abstract does not say. With success = 1 and all else 0 and gamma = 1 it is `LastAttempt`
    of scores of 0 and 1.
    """

    generated: Generated
    turns: int = 1
    success: float = 1.0
    error: float = -0.2
    failure: float = -0.5
    empty: float = -2.0
    gamma: float = 0.99

    def __call__(self, problems: Sequence[Problem], outputs: Sequence[Transcript]) -> Float[Tensor, "N"]:
        return column([self.of(each) for each in _attempts(self.generated, problems, outputs)])

    def of(self, attempts: Sequence[Attempt]) -> float | None:
        """The return of these attempts."""
        if any(one.judged.score is None for one in attempts):
            return None
        paid = [self._paid(one) for one in attempts]
        if not self.generated.done(attempts[-1]):
            paid += [self.empty] * (self.turns - len(paid))
        return sum(self.gamma**turn * one for turn, one in enumerate(paid))

    def _paid(self, attempt: Attempt) -> float:
        if not attempt.advice:
            return self.empty
        return self.success if self.generated.done(attempt) else self.failure + self.error * attempt.judged.errors

    def explain(self, problem: Problem, output: Transcript) -> str:
        """What was advised, and what was said of what came of it."""
        return _told(_attempts(self.generated, [problem], [output])[0])


def _attempts(generated: Generated, problems: Sequence[Problem], outputs: Sequence[Transcript]):
    return generated.attempts(problems, [output.messages for output in outputs])


def _told(attempts: Sequence[Attempt]) -> str:
    return "; ".join(f"{one.advice!r:.80}: {one.judged.said or 'nothing is wrong'}" for one in attempts)
