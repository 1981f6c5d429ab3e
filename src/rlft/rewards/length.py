"""Rewards of a completion's length. The unit is always said: tokens (the policy's own, stop token included), characters
or words (between white space). Not a judge of content, except where `correct` says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rlft.rewards.adapt import each
from rlft.rewards.mathematics import math as math_reward
from rlft.types import Problem, Reward, Text, UserError


def length(*, target: int, unit: str, clamp: tuple[float, float] | None = (0.0, 1.0)) -> Reward:
    """1 - |l - target| / target, within `clamp`; with None, l > 2 target is punished without limit."""
    measure = _measure(unit, target=target)
    low, high = clamp or (-math.inf, math.inf)
    return each(lambda problem, output: min(max(1.0 - abs(measure(output) - target) / target, low), high))


def overlong(*, limit: int, cache: int) -> Reward:
    """DAPO's soft overlong punishment, arXiv 2503.14476 Eq. 13, in tokens.

        0                              l <= limit - cache
        (limit - cache - l) / cache    limit - cache < l <= limit
        -1                             limit < l

    The paper's limit is 20480 with a cache of 4096. `cache=limit` punishes every token alike.
    """
    measure = _measure("tokens", limit=limit, cache=cache)
    if cache > limit:
        raise UserError(f"the cache is the end of the limit, so it cannot be longer: cache={cache}, limit={limit}")

    def punishment(problem: Problem, output: Any) -> float:
        size = measure(output)
        return -1.0 if size > limit else min((limit - cache - size) / cache, 0.0)

    return each(punishment)


def cosine(
    *,
    limit: int,
    unit: str,
    right: tuple[float, float] = (0.5, 1.0),
    wrong: tuple[float, float] = (-1.0, -0.5),
    correct: Reward | None = None,
) -> Reward:
    """Short right answers and long wrong ones earn more (the cosine reward of Open-RS, arXiv 2503.16219, repaired).

        right[0] + (right[1] - right[0]) (1 + cos π x) / 2
        wrong[1] - (wrong[1] - wrong[0]) (1 + cos π x) / 2        x = min(l / limit, 1)

    `correct` says which are right (1) and which could not be judged (NaN, and so is the result); by default `math()`.
    Differs from `cosine_open_rs` in the unit, in that x stays at 1 beyond the limit, and in the NaN.
    """
    measure = _measure(unit, limit=limit)
    return _cosine(lambda output: min(measure(output) / limit, 1.0), right, wrong, correct)


def cosine_open_rs(*, limit: int, correct: Reward | None = None) -> Reward:
    """The cosine reward as the code of Open-RS has it (arXiv 2503.16219), for comparison with it.

    As `cosine`, but l counts characters whatever the limit counts, x = l / limit is not clamped (at twice the limit the
    reward is back at that of an empty completion), and a row that cannot be judged earns 1.
    """
    measure = _measure("characters", limit=limit)
    return _cosine(lambda output: measure(output) / limit, (0.5, 1.0), (-1.0, -0.5), correct, unjudged=1.0)


def adactrl(
    *,
    unit: str,
    easy: str = "[Easy]",
    hard: str = "[Hard]",
    at_least: float = 0.625,
    tag: float = 0.5,
    short: float = 0.5,
    correct: Reward | None = None,
) -> Reward:
    """A budget of length that follows how often a group is right (AdaCtrl, Huang et al. 2025, arXiv 2505.18822).

        correct + tag · r_tag + short · r_short,           three parts
        r_tag    1 if the completion begins with the group's tag, 0 with the other, -1 with none
        r_short  (1 + cos π l / L) / 2 if it begins with `easy` and is right, else 0

    A group, the completions of one problem, is easy if more than `at_least` of those that could be judged are right,
    else hard; L is the longest of the group. So what one completion earns depends on the others. A row that could not
    be judged (NaN) earns NaN. `correct` says which are right, by default `math()`. The authors' code has another
    r_short besides, not used by default, which pays length at `hard` and does not ask whether an answer is right.
    """
    measure, judge = _measure(unit), correct or math_reward()

    def reward(problems: Sequence[Problem], outputs: Any) -> dict[str, Tensor]:
        right = torch.as_tensor(judge(problems, outputs), dtype=torch.float32).cpu()
        parts = {"correct": right, "tag": right.clone(), "short": right.clone()}
        groups: dict[tuple[Any, ...], list[int]] = {}
        for row, problem in enumerate(problems):
            groups.setdefault(problem.key, []).append(row)
        for rows in groups.values():
            label = easy if float(right[rows].nanmean()) > at_least else hard
            most = max(max(measure(outputs[row]) for row in rows), 1)
            for row in rows:
                begun = next((t for t in (easy, hard) if outputs[row].lstrip().startswith(t)), None)
                paid = (1.0 + math.cos(math.pi * measure(outputs[row]) / most)) / 2 if begun == easy else 0.0
                judged = 0.0 * float(right[row])  # NaN stays NaN
                parts["tag"][row] = judged + tag * (-1.0 if begun is None else float(begun == label))
                parts["short"][row] = judged + short * (paid if right[row] == 1 else 0.0)
        return parts

    return reward


def _cosine(
    progress: Callable[[Any], float],
    right: tuple[float, float],
    wrong: tuple[float, float],
    correct: Reward | None,
    unjudged: float = math.nan,
) -> Reward:
    judge = correct or math_reward()

    def reward(problems: Any, outputs: Any) -> list[float]:
        verdicts = judge(problems, outputs)
        return [_shaped(float(v), progress(outputs[row])) for row, v in enumerate(verdicts)]

    def _shaped(verdict: float, x: float) -> float:
        short = (1.0 + math.cos(math.pi * x)) / 2
        if math.isnan(verdict):
            return unjudged
        return right[0] + (right[1] - right[0]) * short if verdict == 1 else wrong[1] - (wrong[1] - wrong[0]) * short

    return reward


def _measure(unit: str, **sizes: int) -> Callable[[Any], int]:
    """The length of an output in this unit. `sizes` are settings that must be positive."""
    for name, size in sizes.items():
        if size <= 0:
            raise UserError(f"{name} must be a positive number of {unit}; got {size}")
    if unit not in _UNITS:
        raise UserError(f"unit must be one of {', '.join(map(repr, _UNITS))}; got {unit!r}")
    return _UNITS[unit]


def _tokens(output: Any) -> int:
    if not isinstance(output, Text) or (output and not output.tokens):
        raise UserError(f"this output does not know its tokens ({output[:40]!r}); use unit='characters' or 'words'")
    return len(output.tokens)


_UNITS: dict[str, Callable[[Any], int]] = {
    "tokens": _tokens,
    "characters": len,
    "words": lambda output: len(output.split()),
}
