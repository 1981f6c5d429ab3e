"""A text cut into steps, each a passage of its characters. Knows no tokens; what is said of steps is not here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rlft.errors import UserError

PARAGRAPHS = r"\n\s*\n"


@dataclass(frozen=True)
class Steps:
    """Steps end behind each match of `ends`, a regular expression; by default at blank lines, which belong to them.

    Together they are the whole text, each character in one of them; what is white space alone belongs to the step
    before it, or else after. A text without anything else has none. `UserError` for what is no regular expression.
    """

    ends: str = PARAGRAPHS
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "_compiled", re.compile(self.ends))
        except re.error as error:
            raise UserError(f"steps={self.ends!r} is no regular expression: {error}") from None

    def of(self, text: str) -> list[tuple[int, int]]:
        """Where each step begins and where it has ended, in characters."""
        cuts = sorted({0, *(found.end() for found in self._compiled.finditer(text)), len(text)})
        steps: list[tuple[int, int]] = []
        begun = 0
        for begin, end in pairwise(cuts):
            if text[begin:end].strip():
                steps.append((begun, end))
                begun = end
            elif steps:
                steps[-1] = (steps[-1][0], end)
                begun = end
        return steps


def numbered(steps: Sequence[str]) -> str:
    """Steps as a critic is shown them: `Step 1: …`, one below the other."""
    return "\n".join(f"Step {number}: {step.strip()}" for number, step in enumerate(steps, 1))
