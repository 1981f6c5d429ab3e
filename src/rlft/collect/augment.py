"""How hard each problem is for the policy as it is now, from the rewards of its rollouts. Changes no problem itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch

from rlft.advantages.group import everyone
from rlft.collect.sources import one_batch
from rlft.noise import hashed
from rlft.types import Collect, Problem, Rollouts, Runtime, Source, UserError

AUGMENTED = "difficulty"
"""The column of a problem whose prompt has been changed: the difficulty it was changed for."""


class Difficulty:
    """A `collect` that remembers D(x) = mean reward of the last `window` steps - mean reward of x's group.

    D > 0 is harder than what was met lately, D < 0 easier (arXiv:2506.07464, Section 3.3). The paper does not say which
    group of x decides about x's own prompt, and one that was drawn with the changed prompt says nothing about the plain
    one. Here it is the group of x's last visit, if that was plain: a changed visit uses the difficulty up, so plain
    visits and changed ones take turns, and no row is drawn only to find out. So a task must come round more than once.

    window    steps whose rows, plain and changed, make the mean
    collect   where the rows come from

    Notes `augment/hard` and `augment/easy`, the shares of this step's groups whose prompt had been changed for D > 0
    and D < 0. Every process remembers the same.
    """

    def __init__(self, window: int = 10, collect: Collect = one_batch):
        if window < 1:
            raise UserError(f"the window of past steps must be at least 1; got {window}")
        self.window, self.collect = window, collect
        self.replay: deque[tuple[float, int]] = deque(maxlen=window)
        self.means: dict[int, float] = {}

    def __call__(self, source: Source) -> Rollouts:
        rollouts = self.collect(source)
        changed = self._remember(rollouts, source.runtime)
        source.notes["augment/hard"] = float((changed > 0).double().mean()) if len(changed) else 0.0
        source.notes["augment/easy"] = float((changed < 0).double().mean()) if len(changed) else 0.0
        return rollouts

    def of(self, problem: Problem) -> float | None:
        """D of a problem, in units of the reward; None if nothing is known of it."""
        mean = self.means.get(_key(problem))
        count = sum(count for _, count in self.replay)
        return None if mean is None or not count else sum(total for total, _ in self.replay) / count - mean

    def _remember(self, rollouts: Rollouts, runtime: Runtime) -> torch.Tensor:
        """Take this step's groups in; what their prompts had been changed for, 0 if they were plain."""
        device = rollouts.rewards.device
        keys = torch.tensor([_key(problem) for problem in rollouts.problems], dtype=torch.int64, device=device)
        changed = torch.tensor(
            [float(problem.columns.get(AUGMENTED, 0.0)) for problem in rollouts.problems], device=device
        )
        rewards, keys, changed = (
            everyone(column, rollouts, runtime)[0] for column in (rollouts.rewards, keys, changed)
        )
        rewards, changed = rewards.double().reshape(-1, rollouts.group), changed[:: rollouts.group]
        for key, group, strength in zip(keys[:: rollouts.group].tolist(), rewards, changed.tolist(), strict=True):
            self.means.pop(key, None)
            if strength == 0 and not bool(group.isnan().all()):
                self.means[key] = float(group.nanmean())
        self.replay.append((float(rewards.nansum()), int(rewards.isfinite().sum())))
        return changed

    def state_dict(self) -> dict[str, Any]:
        """What is remembered."""
        return {"replay": list(self.replay), "means": dict(self.means)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.replay = deque(((float(total), int(count)) for total, count in state["replay"]), maxlen=self.window)
        self.means = dict(state["means"])


def _key(problem: Problem) -> int:
    return hashed(problem.task, problem.split, problem.index)
