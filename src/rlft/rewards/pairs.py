"""Rewards of pairs of outputs, from rewards of single ones: one that both members earn, or to each its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import Remembering, under
from rlft.types import Parts, Problem, Reward, Turns, UserError

ROLES = ("pioneer", "observer")


class _OfEach(Remembering):
    """A reward of both outputs, one after the other. Remembers what its reward remembers."""

    def __init__(self, reward: Reward, paid: Callable[[Tensor, int, Sequence[Any]], Tensor]):
        self.reward, self.paid = reward, paid

    def __call__(self, problems: Sequence[Problem], outputs: Sequence[tuple[Any, Any]]) -> Parts:
        totals: list[dict[str, Tensor]] = []
        watch: dict[str, Tensor] = {}
        for turn, role in enumerate(ROLES):
            single = [pair[turn] for pair in outputs]
            result = self.reward(problems, torch.stack(single) if isinstance(single[0], Tensor) else single)
            named, watched = under(role, result)
            totals.append({name: _totals(v, len(problems)) for name, v in named.items()})
            watch |= watched
        # Half a pair's reward is no pair's: where no part scored one output, neither is scored.
        whole = torch.stack([~torch.stack(list(one.values())).isnan().all(0) for one in totals]).all(0)
        parts = {
            name: self.paid(values.where(whole, torch.nan), turn, outputs)
            for turn, one in enumerate(totals)
            for name, values in one.items()
        }
        return Parts(parts, watch)


def both(reward: Reward) -> Reward:
    """R(q, (y1, y2)) = r(q, y1) + r(q, y2), the reward that pioneer and observer share (arXiv:2410.06101, Sec. 3).

    Its parts are `pioneer` and `observer`, or, of a reward with parts, `pioneer/NAME`. Both outputs are judged for the
    same problem q, whatever the observer was asked. NaN if one of them cannot be scored. Rewards of decisions are added
    up over the output: both members earn both sums, which belong to no decision of theirs.
    """
    return _OfEach(reward, lambda totals, turn, outputs: totals)


def own(reward: Reward) -> Reward:
    """The same parts and sum as `both`, but each output's reward is that of its own last decision: no one shares.

    With a merge that ignores the pioneer and without exchange, the members are two independent learners. A row of which
    one output cannot be scored teaches neither.
    """
    return _OfEach(reward, _at_the_end)


def _at_the_end(totals: Float[Tensor, "N"], turn: int, outputs: Sequence[Any]) -> Float[Tensor, "N D"]:
    if not all(isinstance(output, Turns) for output in outputs):
        raise UserError("the reward of each turn needs outputs that know where they end; policies.pair.Pair makes them")
    ends = [output.ends[turn] for output in outputs]
    paid = torch.zeros(len(outputs), max(ends) + 1)
    paid[torch.arange(len(outputs)), torch.tensor(ends)] = totals
    return paid


def _totals(values: Any, rows: int) -> Float[Tensor, "N"]:
    if len(values) != rows:
        raise UserError(f"the reward of one output returned {len(values)} values for {rows} outputs")
    return torch.tensor([torch.nan if value is None else float(torch.as_tensor(value).sum()) for value in values])
