"""A credit made of another one: what the one inside remembers is remembered. Computes nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rlft.types import Credit, Rollouts, Runtime, Stateful


class Around:
    """`outer`, with the state of the credit that it calls."""

    def __init__(self, outer: Credit, credit: Credit) -> None:
        self.outer, self.credit = outer, credit

    def __call__(self, rollouts: Rollouts, runtime: Runtime) -> Tensor | Mapping[str, Tensor]:
        return self.outer(rollouts, runtime)

    def state_dict(self) -> dict[str, Any]:
        """What the credit inside remembers."""
        return self.credit.state_dict() if isinstance(self.credit, Stateful) else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let it remember that."""
        if isinstance(self.credit, Stateful):
            self.credit.load_state_dict(state)
