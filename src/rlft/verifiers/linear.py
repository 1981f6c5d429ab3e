"""Linear arithmetic of the integers: whether equations and inequalities can all hold. Exact, for small systems.

The Omega test (Pugh 1991, "The Omega test: a fast and practical integer programming algorithm for dependence
analysis"): equations are solved by unimodular changes of variables, and of inequalities one variable after the other is
eliminated as Fourier and Motzkin do, with the cases between the real and the dark shadow looked at one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True)
class Linear:
    """`sum of terms[v] · v + constant`; no term is 0."""

    terms: Mapping[str, int] = field(default_factory=dict[str, int])
    constant: int = 0

    def plus(self, other: Linear, times: int = 1) -> Linear:
        """`self + times · other`."""
        found = dict(self.terms)
        for name, factor in other.terms.items():
            found[name] = found.get(name, 0) + times * factor
        return Linear({name: one for name, one in found.items() if one}, self.constant + times * other.constant)

    def times(self, factor: int) -> Linear:
        """`factor · self`."""
        return Linear().plus(self, factor)

    def put(self, known: Mapping[str, Linear]) -> Linear:
        """With variables replaced by what is known of them."""
        if known.keys().isdisjoint(self.terms):
            return self
        found, constant = dict[str, int](), self.constant
        for name, factor in self.terms.items():
            row = known.get(name)
            if row is None:
                found[name] = found.get(name, 0) + factor
                continue
            constant += factor * row.constant
            for other, times in row.terms.items():
                found[other] = found.get(other, 0) + factor * times
        return Linear({name: one for name, one in found.items() if one}, constant)


def variable(name: str) -> Linear:
    """A variable alone."""
    return Linear({name: 1})


Fact = tuple[str, Linear]
"""A sign and a row: `=`, it is 0; `<`, it is at most 0; `!`, it is not 0."""


def opposite(fact: Fact) -> Fact:
    """What holds where a fact does not."""
    sign, row = fact
    if sign == "<":
        return ("<", Linear({}, 1).plus(row, -1))
    return ("!" if sign == "=" else "=", row)


@final
@dataclass(frozen=True)
class Facts:
    """What is known: equations solved for a variable each, and the rest, in which these no longer stand."""

    solved: Mapping[str, Linear] = field(default_factory=dict[str, Linear])
    rest: tuple[Fact, ...] = ()

    def and_so(self, facts: Iterable[Fact]) -> Facts:
        """With these known too."""
        solved, rest = dict(self.solved), list(self.rest)
        for sign, given in facts:
            row = given.put(solved)
            name = next((name for name, factor in row.terms.items() if abs(factor) == 1), None)
            if sign != "=" or name is None:
                rest.append((sign, row))
                continue
            factor = row.terms[name]
            known = {name: row.plus(variable(name), -factor).times(-factor)}
            solved = {other: one.put(known) for other, one in solved.items()} | known
            rest = [(other, one.put(known)) for other, one in rest]
        return Facts(solved, tuple(rest))

    def prove(self, wanted: Sequence[Fact]) -> bool:
        """Whether all that is wanted holds where all that is known does, for all integers."""
        for place, fact in enumerate(wanted):
            sign, row = fact[0], fact[1].put(self.solved)
            if not row.terms and {"=": row.constant == 0, "<": row.constant <= 0, "!": row.constant != 0}[sign]:
                continue
            earlier = [(other, one.put(self.solved)) for other, one in wanted[:place]]
            if _all(self.rest, *earlier, opposite((sign, row))):
                return False
        return True


def _all(facts: Sequence[Fact], *more: Fact) -> bool:
    """Whether all can hold together; one that is not 0 is less or more."""
    everything = [*facts, *more]
    place = next((place for place, (sign, _) in enumerate(everything) if sign == "!"), None)
    if place is None:
        return possible(
            [row for sign, row in everything if sign == "="], [row for sign, row in everything if sign == "<"]
        )
    row, others = everything[place][1], everything[:place] + everything[place + 1 :]
    one = Linear({}, 1)
    return _all(others, ("<", row.plus(one))) or _all(others, ("<", one.plus(row, -1)))


def possible(equal: Iterable[Linear], most: Iterable[Linear]) -> bool:
    """Whether integers exist for which each of `equal` is 0 and each of `most` at most 0."""
    bounds = list(most)
    waiting = list(equal)
    while waiting:
        one = waiting.pop()
        divisor = math.gcd(*one.terms.values())
        if divisor == 0:
            if one.constant:
                return False
            continue
        if one.constant % divisor:
            return False
        name, value = _solved(one, divisor)
        known = {name: value}
        if name in value.terms:  # another variable in its place, and the equation is asked again
            waiting.append(one)
        waiting, bounds = [row.put(known) for row in waiting], [row.put(known) for row in bounds]
    return _bounded(bounds)


def _solved(equation: Linear, divisor: int) -> tuple[str, Linear]:
    """A variable and what it is; where no factor is 1, itself less others, so that some factor becomes smaller."""
    terms = {name: factor // divisor for name, factor in equation.terms.items()}
    name = min(terms, key=lambda one: abs(terms[one]))
    least = terms[name]
    if abs(least) == 1:
        rest = Linear(terms, equation.constant // divisor).plus(variable(name), -least)
        return name, rest.times(-least)
    rest = Linear({other: -(factor // least) for other, factor in terms.items() if other != name and factor // least})
    return name, variable(name).plus(rest)


def _bounded(bounds: Sequence[Linear]) -> bool:
    """Whether integers exist for which each is at most 0."""
    rows: dict[tuple[tuple[str, int], ...], int] = {}
    for row in bounds:
        divisor = math.gcd(*row.terms.values())
        if divisor == 0:
            if row.constant > 0:
                return False
            continue
        key = tuple(sorted((name, factor // divisor) for name, factor in row.terms.items()))
        # of bounds that differ in the constant the tightest; rounded, as all else is an integer
        rows[key] = max(rows.get(key, -math.inf), -(-row.constant // divisor))  # type: ignore[assignment]
    if not rows:
        return True
    tight = [Linear(dict(terms), constant) for terms, constant in rows.items()]
    name = min({name for row in tight for name in row.terms}, key=lambda one: _cost(tight, one))
    return _without(tight, name)


def _cost(rows: Sequence[Linear], name: str) -> tuple[bool, int, str]:
    """What it takes to eliminate a variable: cases to look at, or none, and then how many bounds."""
    above = [row.terms[name] for row in rows if row.terms.get(name, 0) > 0]
    below = [-row.terms[name] for row in rows if row.terms.get(name, 0) < 0]
    exact = all(one == 1 for one in above) or all(one == 1 for one in below)
    return not exact, len(above) * len(below), name


def _without(rows: Sequence[Linear], name: str) -> bool:
    """The same with one variable less."""
    rest = [row for row in rows if name not in row.terms]
    above = [row for row in rows if row.terms.get(name, 0) > 0]
    below = [row for row in rows if row.terms.get(name, 0) < 0]
    real, dark, exact = list(rest), list(rest), True
    for upper in above:
        for lower in below:
            a, b = upper.terms[name], -lower.terms[name]
            both = upper.times(b).plus(lower, a)
            gap = (a - 1) * (b - 1)
            exact = exact and gap == 0
            real.append(both)
            dark.append(Linear(both.terms, both.constant + gap))
    if exact or not _bounded(real):
        return exact and _bounded(real)
    if _bounded(dark):
        return True
    largest = max(row.terms[name] for row in above)
    for lower in below:
        b = -lower.terms[name]
        for step in range((largest * b - largest - b) // largest + 1):
            if possible([Linear(lower.terms, lower.constant + step)], rows):
                return True
    return False
