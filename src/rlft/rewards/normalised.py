"""Rewards on the scale of their batch or their group. No advantage: whole rows, before any method sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import Remembering, column, explained
from rlft.types import Parts, Problem, Reward, UserError

_ALIKE = 1e-6


def z_scores(scores: Float[Tensor, "N"], problems: Sequence[Problem], over: str) -> Float[Tensor, "N"]:
    """(r - mean) / deviation, over the rows of this batch, or of each problem with `over="group"`; 0 where all are
    alike.

    The deviation is that of the rows (divided by their number). NaN stays NaN and counts for nothing. Over the batch
    this is the z-score of arXiv:2503.23829: easy problems are paid more than hard ones. Each process has its own batch.
    """
    if over == "batch":
        return _standard(scores)
    keys = [problem.key for problem in problems]
    out = torch.full_like(scores, torch.nan)
    for key in dict.fromkeys(keys):
        rows = torch.tensor([row for row, other in enumerate(keys) if other == key])
        out[rows] = _standard(scores[rows])
    return out


def _standard(scores: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
    known = scores[~scores.isnan()].double()
    if not len(known):
        return scores
    deviation = known.std(correction=0)
    if deviation <= _ALIKE * max(1.0, float(known.abs().max())):
        return torch.where(scores.isnan(), scores, 0.0)
    return ((scores.double() - known.mean()) / deviation).to(scores)


def normalised(reward: Reward, over: str = "batch") -> Reward:
    """A reward whose sum is its z-score over the batch or the group; what it gave before is watched as `raw`."""
    if over not in ("batch", "group"):
        raise UserError(f"a reward is normalised over 'batch' or 'group', not over {over!r}")
    return _Normalised(reward, over)


@final
class _Normalised(Remembering):
    def __init__(self, reward: Reward, over: str):
        self.reward, self.over = reward, over

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        found = self.reward(problems, outputs)
        parts = [column(part) for part in found.values()] if isinstance(found, Mapping) else [column(found)]
        if any(part.ndim != 1 for part in parts):
            raise UserError("rewards of single decisions have no z-score of their rows")
        stacked = torch.stack(parts)
        raw = torch.where(stacked.isnan().all(0), torch.nan, stacked.nansum(0))
        watch = found.watch if isinstance(found, Parts) else {}
        blame = found.blame if isinstance(found, Parts) else None
        return Parts({"normalised": z_scores(raw, problems, self.over)}, {**watch, "raw": raw}, blame)

    def explain(self, problem: Problem, output: Any) -> str:
        return explained(self.reward, problem, output)
