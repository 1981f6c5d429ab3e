"""What is to be proved from what: a lemma, and what it becomes on the way to a proof.

    h1 : p -> x + 2 <= y, h2 : p |- x <= y

In Coq this is `forall (p : Prop) (x y : nat) (h1 : p -> x + 2 <= y) (h2 : p), x <= y`, behind `intros p x y h1 h2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rlft.errors import UserError
from rlft.verifiers.formulas import AtMost, Formula, Joined, names, read, written


class Refused(Exception):
    """A sentence that Coq would not take, and why."""


@final
@dataclass(frozen=True)
class Goal:
    """A formula that is wanted and those that are known, by their names, in the order in which they came. What Coq
    names itself has no name here."""

    known: tuple[tuple[str, Formula], ...]
    wanted: Formula

    def named(self, name: str) -> Formula:
        """What is called so."""
        found = [formula for known, formula in self.known if known == name]
        if not found:
            raise Refused(f"there is no {name}")
        return found[0]

    def formulas(self) -> list[Formula]:
        """All that is known."""
        return [formula for _, formula in self.known]

    def and_so(self, wanted: Formula, *more: tuple[str, Formula]) -> Goal:
        """Another goal with more that is known, under names that are new."""
        taken = [name for name, _ in self.known] + [name for name, _ in more]
        if twice := [name for name, _ in more if taken.count(name) > 1 and name]:
            raise Refused(f"{twice[0]} is used already")
        return Goal((*self.known, *more), wanted)


def lemma(text: str) -> Goal:
    """The goal that a text states. UserError for one that does not."""
    before, sign, wanted = text.partition("|-")
    parts = [one.partition(":") for one in before.split(",")] if before.strip() else []
    if not sign or not all(colon and name.strip() for name, colon, _ in parts):
        raise UserError(f"a lemma is written as in h1 : p, h2 : p -> q |- q; got {text!r}")
    return Goal(tuple((name.strip(), read(formula)) for name, _, formula in parts), read(wanted))


def stated(goal: Goal) -> str:
    """The text of a lemma."""
    known = ", ".join(f"{name} : {written(formula)}" for name, formula in goal.known)
    return f"{known} |- {written(goal.wanted)}".lstrip()


def in_coq(goal: Goal) -> tuple[str, str]:
    """The statement as Coq reads it, and the sentence with which a proof begins that speaks of the names in it."""
    held = list(dict.fromkeys(name for formula in (*goal.formulas(), goal.wanted) for name in names(formula)))
    numbers = {name for formula in (*goal.formulas(), goal.wanted) for name in _numbers(formula)}
    bound = [f"({name} : {'nat' if name in numbers else 'Prop'})" for name in held]
    bound += [f"({name} : {written(formula)})" for name, formula in goal.known]
    if not bound:
        return written(goal.wanted), "idtac."
    return f"forall {' '.join(bound)}, {written(goal.wanted)}", f"intros {' '.join([*held, *dict(goal.known)])}."


def _numbers(formula: Formula) -> list[str]:
    if isinstance(formula, Joined):
        return _numbers(formula.left) + _numbers(formula.right)
    return names(formula) if isinstance(formula, AtMost) else []
