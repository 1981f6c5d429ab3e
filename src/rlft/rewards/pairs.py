"""Rewards of pairs of outputs, from rewards of single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.types import Parts, Problem, Reward, Stateful, UserError

ROLES = ("pioneer", "observer")


class _Both:
    """Remembers what its reward remembers."""

    def __init__(self, reward: Reward):
        self.reward = reward

    def __call__(self, problems: Sequence[Problem], outputs: Sequence[tuple[Any, Any]]) -> Parts:
        parts: dict[str, Tensor] = {}
        watch: dict[str, Tensor] = {}
        for role, single in zip(ROLES, zip(*outputs, strict=True), strict=True):
            stacked = torch.stack(single) if isinstance(single[0], Tensor) else list(single)
            result = self.reward(problems, stacked)
            named = {f"{role}/{n}": v for n, v in result.items()} if isinstance(result, Mapping) else {role: result}
            parts |= {name: _totals(values, len(problems)) for name, values in named.items()}
            watch |= {f"{role}/{n}": v for n, v in result.watch.items()} if isinstance(result, Parts) else {}
        return Parts(parts, watch)

    def state_dict(self) -> dict[str, Any]:
        return self.reward.state_dict() if isinstance(self.reward, Stateful) else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if isinstance(self.reward, Stateful):
            self.reward.load_state_dict(state)


def both(reward: Reward) -> Reward:
    """R(q, (y1, y2)) = r(q, y1) + r(q, y2), the reward that pioneer and observer share (arXiv:2410.06101, Sec. 3).

    Its parts are `pioneer` and `observer`, or, of a reward with parts, `pioneer/NAME`. Both outputs are judged for the
    same problem q, whatever the observer was asked. NaN if one of them cannot be scored. Rewards of decisions are added
    up over the output: both members earn both sums, which belong to no decision of theirs.
    """
    return _Both(reward)


def _totals(values: Any, rows: int) -> Float[Tensor, "N"]:
    if len(values) != rows:
        raise UserError(f"the reward of one output returned {len(values)} values for {rows} outputs")
    return torch.tensor([torch.nan if value is None else float(torch.as_tensor(value).sum()) for value in values])
