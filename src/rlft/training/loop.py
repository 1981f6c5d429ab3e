"""What the two loops, over whole rollouts and over single steps, do alike: pieces to steps, steps to a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from rlft.training.ledger import Metrics, check_finite


class Loop(ABC):
    """Learning that can be stopped after any piece: `advance` does one, and `steps_done` counts whole steps."""

    steps_done: int

    @abstractmethod
    def advance(self) -> Metrics | None:
        """The next piece of a step; the step's metrics once it is complete."""

    @abstractmethod
    def settle(self) -> None:
        """Wait for whatever goes on in the background."""

    def step(self) -> Metrics:
        """One step, or the rest of one that was interrupted; its metrics."""
        metrics = None
        while metrics is None:
            metrics = self.advance()
        return metrics

    def run(self, steps: int) -> Iterator[Metrics]:
        """Learn until `steps` steps are done in all, yielding each one's metrics.

        UserError after those of a step whose loss or gradient is not finite: nothing can be learned from then on.
        """
        while self.steps_done < steps:
            metrics = self.step()
            yield metrics
            check_finite(metrics)
