"""A step's rollouts on their way into a checkpoint and back: plain values and tensors, no code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.types import Rollouts, Task, visited


def as_state(rollouts: Rollouts | None) -> dict[str, Any] | None:
    """Rollouts as plain values and tensors. Outputs are left behind: they were for the reward, which has been given."""
    if rollouts is None:
        return None
    return {
        "problems": [(problem.index, problem.visit) for problem in rollouts.problems],
        "group": rollouts.group,
        "trace": dict(rollouts.trace),
        "mask": rollouts.mask,
        "logp_old": rollouts.logp_old,
        "filled": dict(rollouts.filled),
    }


def from_state(state: Mapping[str, Any] | None, task: Task) -> Rollouts | None:
    """The rollouts of `as_state`, their problems looked up in the task again."""
    if state is None:
        return None
    problems = tuple(visited(task, index, visit) for index, visit in state["problems"])
    rest = {name: state[name] for name in ("group", "trace", "mask", "logp_old", "filled")}
    return Rollouts(problems=problems, outputs=[None] * len(problems), **rest)
