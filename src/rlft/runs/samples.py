"""Samples of a run as its page shows them: a few problems with all their rows, every few steps. Draws nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from rlft.runs.log import Log
from rlft.training.evaluate import Evaluation
from rlft.types import Illustrating, Problem, Rollouts, Showable

_PROBLEMS = 2  # of a step


class Samples:
    """What the log keeps of what is drawn.

    policy      whose rows they are; of one that is not `Showable` nothing is kept
    every, last steps between those that are kept, and the step of the run that always is
    """

    def __init__(self, policy: Any, log: Log, every: int, last: int):
        self.policy, self.log, self.every, self.last = policy, log, every, last

    def see(self, step: int, rollouts: Rollouts, parts: Mapping[str, Tensor]) -> None:
        """A step's rows, if they are to be kept."""
        if not (step in (1, self.last) or step % self.every == 0):
            return
        group = rollouts.group
        for first in range(0, min(_PROBLEMS * group, len(rollouts)), group):
            rows = range(first, first + group)
            paid = [{name: float(values[row]) for name, values in parts.items()} for row in rows]
            rewards = rollouts.rewards[first : first + group].tolist()
            self._line(step, rollouts.problems[first], [rollouts.outputs[row] for row in rows], rewards, paid)

    def keep(self, step: int, found: Evaluation, problems: int) -> None:
        """The rows of an evaluation's first problems."""
        samples = found.rewards.shape[1]
        for first in range(0, min(problems * samples, len(found.rows)), samples):
            asked, outputs, rewards = zip(*found.rows[first : first + samples], strict=True)
            self._line(step, asked[0], outputs, rewards, [{}] * samples)

    def _line(
        self,
        step: int,
        problem: Problem,
        outputs: Sequence[Any],
        rewards: Sequence[float],
        parts: Sequence[Mapping[str, float]],
    ) -> None:
        policy = self.policy
        if not self.log.writes or not isinstance(policy, Showable):
            return
        rows = [
            {"reward": reward, "parts": own, **policy.show(output)}
            for output, reward, own in zip(outputs, rewards, parts, strict=True)
        ]
        told = policy.illustrate(problem) if isinstance(policy, Illustrating) else {}
        self.log.line("samples", {"step": step, "problem": _plain(problem) | told, "rows": rows})


def _plain(problem: Problem) -> dict[str, Any]:
    def simple(value: Any) -> Any:
        return value if isinstance(value, str | int | float | list | dict) else None  # an image is no caption

    return {"index": problem.index, "input": simple(problem.input), "answer": simple(problem.answer)}
