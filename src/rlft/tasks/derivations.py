"""A teacher of proofs in the language of `verifiers.tactics`: shortest ones by search, and others in other manners.

Assumptions are named h1, h2, … in the order in which they come on the way to a goal. Each of two goals that a tactic
leaves stands in braces.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from rlft.verifiers.deciding import lia, tauto
from rlft.verifiers.formulas import AND, FALSE, IMPLIES, OR, Formula, Joined
from rlft.verifiers.goals import Goal
from rlft.verifiers.tactics import after

_STEPS = 2000


class _Exhausted(Exception):
    """The search has looked at more goals than it may."""


class Teacher:
    """Looks for proofs whose longest branch has at most so many steps, assumptions and the last step not counted.

    draw    in which order it tries things, and which of several ways it closes a goal; None is always the same order
    handed  how often a goal that `tauto` proves is left to it, where things are drawn
    """

    def __init__(self, draw: random.Random | None = None, handed: float = 0.0):
        self.draw, self.handed, self.left = draw, handed, 0

    def proof(self, goal: Goal, depth: int) -> list[str] | None:
        """The sentences of a proof of at most this depth; None if there is none, or not after many steps."""
        self.left = _STEPS
        try:
            return self._of(goal, depth, ())
        except _Exhausted:
            return None

    def _of(self, goal: Goal, depth: int, above: tuple[Formula, ...]) -> list[str] | None:
        """`above` are goals on the way since something new was known: to come back to one of them gains nothing."""
        self.left -= 1
        if self.left < 0:
            raise _Exhausted
        if self.draw and self.draw.random() < self.handed and tauto(goal.formulas(), goal.wanted):
            return ["tauto."]
        assumes = isinstance(goal.wanted, Joined) and goal.wanted.sign == IMPLIES
        safe = [f"intro h{len(goal.known) + 1}."] if assumes else []
        if not assumes or self.draw:
            if ends := self._closing(goal):
                return [ends]
            safe += _safe(goal)
            if self.draw and self.draw.random() < 0.5:
                safe += _cases(goal)
        if safe and (sentence := self._ordered(safe)[0]).startswith("intro"):
            return self._after(goal, sentence, depth, ())
        if goal.wanted in above or depth == 0:
            return None
        if safe:
            return self._after(goal, sentence, depth - 1, above)
        for sentence in self._ordered(_chosen(goal)):
            if (rest := self._after(goal, sentence, depth - 1, above)) is not None:
                return rest
        return None

    def _after(self, goal: Goal, sentence: str, depth: int, above: tuple[Formula, ...]) -> list[str] | None:
        left, said = after(goal, sentence), [sentence]
        for one in left:
            above_it = (*above, goal.wanted) if len(one.known) == len(goal.known) else ()
            rest = self._of(one, depth, above_it)
            if rest is None:
                return None
            said += rest if len(left) == 1 else ["{", *rest, "}"]
        return said

    def _closing(self, goal: Goal) -> str | None:
        names = [name for name, formula in goal.known if formula == goal.wanted]
        ways = [f"exact {names[0]}."] if names else []
        if (self.draw or not ways) and lia(goal.formulas(), goal.wanted):
            ways.append("lia.")
        return self._ordered(ways)[0] if ways else None

    def _ordered(self, sentences: Sequence[str]) -> list[str]:
        return self.draw.sample(sentences, len(sentences)) if self.draw else list(sentences)


def depth_of(goal: Goal, most: int) -> tuple[int, list[str]] | None:
    """The depth of the least deep proofs, and the first of these; None if none has `most` steps or fewer."""
    for depth in range(most + 1):
        if (found := Teacher().proof(goal, depth)) is not None:
            return depth, found
    return None


def _safe(goal: Goal) -> list[str]:
    """Steps that lose nothing: both parts of what is known, both parts of what is wanted."""
    known, count = goal.formulas(), len(goal.known)
    parts = [
        f"destruct ({name} : _ /\\ _) as [h{count + 1} h{count + 2}]."
        for name, formula in goal.known
        if isinstance(formula, Joined) and formula.sign == AND
        if formula.left not in known or formula.right not in known
    ]
    wanted = goal.wanted
    return [*parts, "split."] if isinstance(wanted, Joined) and wanted.sign == AND else parts


def _chosen(goal: Goal) -> list[str]:
    """Steps that may be wrong, or not needed."""
    known, wanted = goal.formulas(), goal.wanted
    back = [f"refine ({name}{' _' * holes})." for name, one in goal.known if (holes := _premises(one, wanted))]
    sides = ["left.", "right."] if isinstance(wanted, Joined) and wanted.sign == OR else []
    absurd = wanted != FALSE and any(_premises(one, FALSE) for one in known)
    return [*back, *sides, *_cases(goal), *(["exfalso."] if absurd else [])]


def _cases(goal: Goal) -> list[str]:
    """Either half of what is known."""
    known, count = goal.formulas(), len(goal.known)
    return [
        f"destruct ({name} : _ \\/ _) as [h{count + 1}|h{count + 1}]."
        for name, one in goal.known
        if isinstance(one, Joined) and one.sign == OR and one.left not in known and one.right not in known
    ]


def _premises(formula: Formula, conclusion: Formula) -> int:
    """How many premises a formula has before this conclusion; 0 if it has not got it."""
    count = 0
    while isinstance(formula, Joined) and formula.sign == IMPLIES:
        formula, count = formula.right, count + 1
        if formula == conclusion:
            return count
    return 0
