"""Rewards chosen row by row: a column of the data says which of them scores it, as VLM-R1's `accu_reward_method`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from rlft.rewards.adapt import adapted, column, combine, explained
from rlft.types import Parts, Problem, Reward, Stateful, UserError, field_of


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
    known = tuple(chosen)
    parts = {value: _Rows(name, (value,), adapted(reward), known) for value, reward in chosen.items()}
    if otherwise is not None:
        parts["otherwise"] = _Rows(name, None, adapted(otherwise), known)
        return combine(parts)
    first = next(iter(parts))
    parts[first] = _Rows(name, (first,), parts[first].reward, known, strict=True)
    return combine(parts)


@final
class _Rows:
    """A reward of the rows whose column is one of `values`, or none of those `known`; the others abstain."""

    def __init__(
        self, name: str, values: tuple[str, ...] | None, reward: Reward, known: tuple[str, ...], strict: bool = False
    ):
        self.name, self.values, self.reward, self.known, self.strict = name, values, reward, known, strict

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Any:
        said = [str(field_of(problem.columns, self.name)) for problem in problems]
        if self.strict and (strange := [value for value in said if value not in self.known]):
            raise UserError(
                f"the column {self.name!r} says {strange[0]!r}, and by_column has rewards for {', '.join(self.known)}; "
                "give one for it, or otherwise=…"
            )
        own = [row for row, value in enumerate(said) if (value in (self.values or self.known)) == bool(self.values)]
        if not own:
            return torch.full((len(problems),), math.nan)
        result = self.reward([problems[row] for row in own], _taken(outputs, own))
        if not isinstance(result, Mapping):
            return self._spread(result, own, len(problems))
        parts = {name: self._spread(values, own, len(problems)) for name, values in result.items()}
        watch = result.watch if isinstance(result, Parts) else {}
        return Parts(parts, {name: self._spread(values, own, len(problems)) for name, values in watch.items()})

    def explain(self, problem: Problem, output: Any) -> str:
        said = str(field_of(problem.columns, self.name))
        own = (said in (self.values or self.known)) == bool(self.values)
        return explained(self.reward, problem, output) if own else "not asked"

    def state_dict(self) -> dict[str, Any]:
        return self.reward.state_dict() if isinstance(self.reward, Stateful) else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if isinstance(self.reward, Stateful):
            self.reward.load_state_dict(state)

    def _spread(self, values: Any, own: list[int], count: int) -> Tensor:
        scores = values if isinstance(values, Tensor) else column(values)
        if scores.ndim != 1 or len(scores) != len(own):
            raise UserError(
                f"by_column: a reward gave {tuple(scores.shape)} for {len(own)} rows; expected a number each"
            )
        return scores.new_full((count,), math.nan).index_put((torch.tensor(own, device=scores.device),), scores)


def _taken(outputs: Any, rows: list[int]) -> Any:
    return outputs[torch.tensor(rows)] if isinstance(outputs, Tensor) else [outputs[row] for row in rows]
