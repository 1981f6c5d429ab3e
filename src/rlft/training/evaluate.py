"""How good a policy is on problems: mean reward with an interval, pass@k, and what measures say. Trains nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlft.chances import powers, unbiased
from rlft.training.score import score
from rlft.types import Measure, Problem, Reward, Sampler, Task, UserError

Rated = tuple[Problem, Any, float]
"""A problem, an output, its reward; NaN where it could not be scored."""


@dataclass(frozen=True)
class Evaluation:
    """Rewards of `samples` rollouts for each of some problems.

    rewards   [P G], NaN where a row could not be scored
    parts     the same of each part of the reward, and of what it wants watched
    interval  95 % of the mean, bootstrapped over problems
    rows      every problem, output and reward
    passes    pass@k for k = 1, 2, 4 … up to G, where every reward is 0 or 1; of a part as `k/PART`
    """

    rewards: Float[Tensor, "P G"]
    mean: float
    interval: tuple[float, float]
    passes: Mapping[int | str, float] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    rows: Sequence[Rated] = ()
    parts: Mapping[str, Float[Tensor, "P G"]] = field(default_factory=dict)

    def numbers(self) -> dict[str, Any]:
        """Plain numbers for a file or a screen."""
        unscored = int(self.rewards.isnan().sum())
        return {
            "reward": self.mean,
            "interval": list(self.interval),
            "problems": self.rewards.shape[0],
            "samples": self.rewards.shape[1],
            **({"unscored": unscored} if unscored else {}),
            **{f"reward/{name}": float(values.nanmean()) for name, values in self.parts.items()},
            **{f"pass@{k}": value for k, value in self.passes.items()},
            **self.measures,
        }


@torch.no_grad()
def evaluate(
    policy: Sampler,
    task: Task,
    reward: Reward,
    *,
    problems: int | None = None,
    samples: int = 1,
    seed: int = 0,
    batch: int = 64,
    measures: Sequence[Measure] = (),
    progress: Callable[[int, int], None] = lambda done, count: None,
    seen: Callable[[Sequence[Rated]], None] = lambda rows: None,
) -> Evaluation:
    """Draw `samples` rollouts for the task's first `problems` problems (all of a finite task by default).

    The noise of a problem is that of its own task and split, so two policies are compared on the same noise. `batch`
    is how many problems are sampled at once: memory, not results. Measures see all outputs at the end; `seen` is given
    the rows of each batch when they have been scored. `UserError` for less than one problem, sample or batch.
    """
    for name, value in (("problems", problems), ("samples", samples), ("batch", batch)):
        if value is not None and value < 1:
            raise UserError(f"{name} must be at least 1 for an evaluation; got {value}")
    count = problems if problems is not None else (task.size or 256)
    count = min(count, task.size) if task.size is not None else count
    rows: list[Rated] = []
    rewards: list[Tensor] = []
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, count, batch):
        asked = [task.at(index) for index in range(start, min(start + batch, count))]
        rollouts = policy.sample(asked, samples, seed)
        scores = score(reward, rollouts.problems, rollouts.outputs, rollouts.mask.shape[1])
        rewards.append(scores.total.reshape(-1, samples))
        for name, values in scores.parts.items():
            had = sum(map(len, parts.setdefault(name, [])))  # a batch may have nothing to say of it
            parts[name] += [torch.full((start - had, samples), torch.nan), values.reshape(-1, samples)]
        rated = list(zip(rollouts.problems, rollouts.outputs, scores.total.tolist(), strict=True))
        seen(rated)
        rows += rated
        progress(start + len(asked), count)
    table = torch.cat(rewards)
    asked, outputs = [problem for problem, _, _ in rows], [output for _, output, _ in rows]
    stacked = torch.stack(outputs) if isinstance(outputs[0], Tensor) else outputs
    measured = {name: float(value) for measure in measures for name, value in measure(asked, stacked).items()}
    told = {n: torch.cat([*v, v[0].new_full((count - sum(map(len, v)), samples), torch.nan)]) for n, v in parts.items()}
    passes: dict[int | str, float] = {**pass_at(table)}
    if not passes:  # of what adds up, the parts that are right or wrong
        passes |= {f"{k}/{name}": value for name, part in told.items() for k, value in _pass_of(part).items()}
    return Evaluation(table, float(table.nanmean()), bootstrap(table), passes, measured, rows, told)


def solved_share(
    policy: Sampler, task: Task, reward: Reward, *, problems: int | None = None, samples: int = 16, seed: int = 0
) -> dict[int, float]:
    """By its index, the share of `samples` rows of each of the task's problems that earn 1 or more."""
    found = evaluate(policy, task, reward, problems=problems, samples=samples, seed=seed)
    return dict(enumerate((found.rewards >= 1).double().mean(1).tolist()))


def bootstrap(rewards: Float[Tensor, "P G"], draws: int = 1000) -> tuple[float, float]:
    """The 95 % percentile interval of the mean over problems (Efron 1979), with a fixed seed."""
    means = rewards.nanmean(1).numpy()
    means = means[~np.isnan(means)]
    if len(means) == 0:
        return math.nan, math.nan
    picks = np.random.default_rng(0).integers(0, len(means), (draws, len(means)))
    low, high = np.percentile(means[picks].mean(1), [2.5, 97.5])
    return float(low), float(high)


def _pass_of(part: Float[Tensor, "P G"]) -> dict[int, float]:
    """pass@k of a part whose values are 0 and one more, its weight, over the problems that it scored."""
    scored = part[~part.isnan().any(1)]
    return pass_at(scored / (scored.max() if bool((scored > 0).any()) else 1)) if len(scored) else {}


def pass_at(rewards: Float[Tensor, "P G"]) -> dict[int, float]:
    """pass@k = mean over problems of 1 - C(G-c, k)/C(G, k), c solved rows of G (arXiv:2107.03374, Eq. 1).

    Empty unless every reward is 0 or 1.
    """
    if not bool(((rewards == 0) | (rewards == 1)).all()):
        return {}
    group = rewards.shape[1]
    solved = rewards.sum(1).long().tolist()
    return {k: sum(unbiased(c, group, k) for c in solved) / len(solved) for k in powers(group)}
