"""From what a critic wrote to the steps that it calls wrong, and from several critiques to one. Asks nobody."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rlft.errors import UserError
from rlft.rewards.judging.verdicts import said

Wrong = frozenset[int]
"""The numbers of the steps that a critique calls wrong, from 1."""

NAMED = r"wrong steps?\W*:[\s*_`\[(]*(none|\d+(?:\s*(?:,|and|&)\s*(?:and\s+)?\d+)*)"


@dataclass(frozen=True)
class Listed:
    """How a critique is read: `form`, a regular expression with one group, finds the wrong steps' numbers, or none.

    Its last match counts. By default that is `Wrong steps: 2, 5`, or `Wrong steps: none`. Thoughts within `<think>`
    are not read. `least` and `most` are of judges, see `judging.verdicts.Reading`, and have no say here.
    """

    form: str = NAMED
    least: float = 0.0
    most: float = math.inf
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = re.compile(self.form, re.IGNORECASE)
        except re.error as error:
            raise UserError(f"reads={self.form!r} is no regular expression: {error}") from None
        if compiled.groups != 1:
            raise UserError(
                f"reads={self.form!r} needs one group, around the numbers of the wrong steps, such as 'Wrong: (.*)'"
            )
        object.__setattr__(self, "_compiled", compiled)

    def wrong(self, reply: str, steps: int) -> Wrong | None:
        """What a critique of so many steps calls wrong; None where it cannot be read, or names a step there is not."""
        text = said(reply)
        found = None if text is None else self._compiled.findall(text)
        if not found:
            return None
        numbers = frozenset(map(int, re.findall(r"\d+", found[-1])))
        return numbers if all(1 <= number <= steps for number in numbers) else None

    def of(self, reply: str) -> float | None:
        """How many steps it calls wrong, whatever there are; None where it cannot be read."""
        wrong = self.wrong(reply, 1 << 30)
        return None if wrong is None else float(len(wrong))


RULES: Mapping[str, Callable[[float], float]] = {
    "intersection": lambda share: float(share == 1),
    "majority": lambda share: float(share > 0.5),
    "average": lambda share: share,
    "union": lambda share: float(share > 0),
}
"""What a step is blamed for the share of the critiques that call it wrong.

intersection  1 where all of them do: with n independent critics that blame a right step with probability f and pass a
              wrong one with m, it is blamed with f^n and passed with 1 - (1 - m)^n
majority      1 where more than half of them do
average       the share itself
union         1 where any of them does: f and m change places in the above. Ours; the others are the paper's
"""


def rule_of(name: str) -> Callable[[float], float]:
    """The rule of this name; `UserError` for another."""
    if name not in RULES:
        raise UserError(f"rule={name!r}: critiques are put together by {', '.join(RULES)}")
    return RULES[name]


def shares(votes: Sequence[Wrong | None], steps: int, rule: str) -> list[float]:
    """What each step is blamed, by the votes that could be read; 0 where none could."""
    read, blamed = [vote for vote in votes if vote is not None], rule_of(rule)
    if not read:
        return [0.0] * steps
    return [blamed(sum(number in vote for vote in read) / len(read)) for number in range(1, steps + 1)]
