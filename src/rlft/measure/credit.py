"""Where credit goes: how likely a policy finds a wrong step of its own, and the right one in its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from rlft.collect.interventions import between, continued
from rlft.types import Problem


class Error(NamedTuple):
    """A row's first error: what stands before it, the wrong step and the right one, each with its end."""

    problem: Problem
    kept: str
    wrong: str
    right: str


def at_errors(errors: Sequence[Error]) -> Callable[[Any], Mapping[str, float]]:
    """A probe of how likely these steps are behind what stands before them, in nats a step, in the mean.

    wrong_step   sum over the wrong step's tokens of log p
    right_step   the same of the right one
    right_odds   the second less the first

    An outcome reward gives all tokens of a failed row the same credit; a method that knows where the row went wrong
    lowers `wrong_step` and raises `right_step`. NaN without an error.
    """

    def probe(policy: Any) -> Mapping[str, float]:
        wrong, right = (
            _log_prob(policy, errors, steps) if errors else math.nan
            for steps in ([error.wrong for error in errors], [error.right for error in errors])
        )
        return {"wrong_step": wrong, "right_step": right, "right_odds": right - wrong}

    return probe


@torch.no_grad()
def _log_prob(policy: Any, errors: Sequence[Error], steps: Sequence[str]) -> float:
    parts = [(error.kept, step) for error, step in zip(errors, steps, strict=True)]
    rows, before = continued(policy, [error.problem for error in errors], parts, seed=0)
    return float(torch.where(between(rows, before), rows.logp_old, 0).sum(1).double().mean())
