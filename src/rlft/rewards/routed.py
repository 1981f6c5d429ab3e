"""Rewards chosen row by row: a column of the data says which of them scores it, as VLM-R1's `accu_reward_method`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from rlft.rewards.adapt import Remembering, adapted, column, combine, explained
from rlft.types import Parts, Problem, Reward, UserError, field_of


def by_column(
    name: str, rewards: Mapping[str, Reward] | None = None, /, *, otherwise: Reward | None = None, **named: Reward
) -> Reward:
    """Each row is scored by the reward that its column `name` names, and by no other; the parts have those names.

    `otherwise` scores rows that name none of them, or have no such column; without it they are an error. With
    `--reward` the rewards are texts: "by_column('accu_reward_method', od_ap='box_ap', otherwise='exact')".
    """
    chosen = {**(rewards or {}), **named}
    if not chosen:
        raise UserError("by_column needs a reward for at least one value: by_column('kind', math=math(), …)")

    def asked(problem: Problem) -> str:
        """The name of the reward of a row."""
        value = str(field_of(problem.columns, name))
        if value in chosen:
            return value
        if otherwise is None:
            raise UserError(
                f"the column {name!r} says {value!r}, and by_column has rewards for {', '.join(chosen)}; "
                "give one for it, or otherwise=…"
            )
        return "otherwise"

    rewarded = chosen if otherwise is None else {**chosen, "otherwise": otherwise}
    return combine({value: _Rows(asked, value, adapted(reward)) for value, reward in rewarded.items()})


@final
class _Rows(Remembering):
    """A reward of the rows for which it is `asked`, by its name; from others it abstains."""

    def __init__(self, asked: Callable[[Problem], str], name: str, reward: Reward):
        self.asked, self.name, self.reward = asked, name, reward

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Any:
        own = [row for row, problem in enumerate(problems) if self.asked(problem) == self.name]
        if not own:
            return torch.full((len(problems),), math.nan)
        result = self.reward([problems[row] for row in own], _taken(outputs, own))
        if not isinstance(result, Mapping):
            return self._spread(result, own, len(problems))
        parts = {name: self._spread(values, own, len(problems)) for name, values in result.items()}
        watch = result.watch if isinstance(result, Parts) else {}
        told = {name: self._spread(values, own, len(problems)) for name, values in watch.items()}
        found = dict(zip(own, result.blame or (), strict=False)) if isinstance(result, Parts) else {}
        return Parts(parts, told, [found.get(row, []) for row in range(len(problems))] if found else None)

    def explain(self, problem: Problem, output: Any) -> str:
        return explained(self.reward, problem, output) if self.asked(problem) == self.name else "not asked"

    def _spread(self, values: Any, own: list[int], count: int) -> Tensor:
        scores = values if isinstance(values, Tensor) else column(values)
        if scores.ndim != 1 or len(scores) != len(own):
            raise UserError(
                f"by_column: a reward gave {tuple(scores.shape)} for {len(own)} rows; expected a number each"
            )
        return scores.new_full((count,), math.nan).index_put((torch.tensor(own, device=scores.device),), scores)


def _taken(outputs: Any, rows: list[int]) -> Any:
    return outputs[torch.tensor(rows)] if isinstance(outputs, Tensor) else [outputs[row] for row in rows]
