"""What Dafny verifies of the programs of `counted`, verified in this process: the same verdicts, in a millisecond.

Of each path through a method what must hold is asked of `linear`: a loop's invariants on entry, that its body keeps
them and brings it nearer to its end, and the method's `ensures`. What a loop changes is only known by its invariants.
Dafny's Boogie also infers constant bounds of a loop's variables, and so does this. A text of another language is
refused, though Dafny may take it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from rlft.verifiers.counted import (
    Assigned,
    Branched,
    Compared,
    Condition,
    Head,
    Looped,
    Statement,
    Unread,
    body_of,
    changed,
    head_of,
)
from rlft.verifiers.linear import Fact, Facts, Linear, opposite, variable
from rlft.verifiers.proved import Proved

ENTRY = "This loop invariant might not hold on entry"
KEPT = "This loop invariant might not be maintained by the loop"
ENDS = "cannot prove termination; try supplying a decreases clause for the loop"
AFTER = "A postcondition might not hold on this return path"
_Values = Mapping[str, Linear]
_Infers = Callable[[Looped, _Values, _Values, Facts], list[Fact]]


@final
@dataclass(frozen=True)
class Failed:
    """What cannot be proved: one of this module's sentences, and the condition that it is about."""

    said: str
    condition: str

    def __str__(self) -> str:
        return f"{self.said}: {self.condition}"


def verified(header: str, text: str) -> Proved:
    """What there is to say of a body for a method's head: `proved`, `unproved`, `error` or `refused`; `detail` has all
    that cannot be proved, `; ` between. `unreadable` for a head that is none."""
    try:
        head = head_of(header)
    except Unread as fault:
        return Proved("unreadable", str(fault))
    try:
        body = body_of(head, text)
    except Unread as fault:
        return Proved(fault.word, str(fault))
    failed = failures(head, body)
    return Proved("unproved", "; ".join(map(str, failed))) if failed else Proved("proved")


def failures(head: Head, body: Sequence[Statement]) -> list[Failed]:
    """All that cannot be proved of a method, each once, in the order of the text."""
    # What is inferred costs more than all else and can only help.
    return _failures(head, body, _nothing) and _failures(head, body, _bounds)


def _failures(head: Head, body: Sequence[Statement], infers: _Infers) -> list[Failed]:
    paths = _Paths(infers)
    start = {name: variable(name) for name in (*head.given, *head.made)}
    facts = Facts().and_so(fact for one in head.requires for fact in _put(one, start))
    for values, known in paths.after(body, start, facts):
        for one in head.ensures:
            paths.ask(known, one, values, AFTER)
    return list(dict.fromkeys(paths.failed))


class _Paths:
    """Goes along all paths of a body, and notes what cannot be proved on them."""

    def __init__(self, infers: _Infers) -> None:
        self.failed: list[Failed] = []
        self.infers, self.count = infers, 0

    def ask(self, known: Facts, wanted: Condition, values: _Values, said: str) -> None:
        if not known.prove(_put(wanted, values)):
            self.failed.append(Failed(said, wanted.text))

    def after(self, body: Sequence[Statement], values: _Values, known: Facts) -> list[tuple[_Values, Facts]]:
        """What the variables are behind a body, and what is known then, on each path."""
        paths = [(values, known)]
        for one in body:
            paths = [path for values, known in paths for path in self._step(one, values, known)]
        return paths

    def _step(self, one: Statement, values: _Values, known: Facts) -> list[tuple[_Values, Facts]]:
        if isinstance(one, Assigned):
            return [({**values, one.name: one.value.put(values)}, known)]
        if isinstance(one, Branched):
            sides = ((_put(one.condition, values), one.then), (_less(one.condition, values), one.otherwise))
            return [path for side, body in sides for path in self.after(body, values, known.and_so(side))]
        for invariant in one.invariants:
            self.ask(known, invariant, values, ENTRY)
        self.count += 1
        any_time = {**values, **{name: variable(f"{name}'{self.count}") for name in changed(one.body)}}
        held = known.and_so(fact for each in one.invariants for fact in _put(each, any_time))
        held = held.and_so(self.infers(one, values, any_time, known))
        left = _left(one.condition.each[0], any_time)
        for ended, after in self.after(one.body, any_time, held.and_so(_put(one.condition, any_time))):
            for invariant in one.invariants:
                self.ask(after, invariant, ended, KEPT)
            self._ends(one.condition, left, _left(one.condition.each[0], ended), after)
        return [(any_time, held.and_so(_less(one.condition, any_time)))]

    def _ends(self, condition: Condition, before: list[Linear], now: list[Linear], known: Facts) -> None:
        """What is left to do must be less than before, which was not negative; of an inequality it is a distance."""
        for far in before:
            for near in now:
                # of a distance: which of both differences it is
                sides = [("<", one.times(-1)) for one in (far, near) if len(before) > 1]
                wanted: list[Fact] = [("<", near.plus(far, -1).plus(Linear({}, 1))), ("<", far.times(-1))]
                if not known.and_so(sides).prove(wanted):
                    self.failed.append(Failed(ENDS, condition.text))
                    return


def _fact(one: Compared, values: _Values) -> Fact:
    less = one.left.plus(one.right, -1).put(values)
    if one.sign in ("==", "!="):
        return ("=" if one.sign == "==" else "!", less)
    row = less if one.sign[0] == "<" else less.times(-1)
    return ("<", row if "=" in one.sign else row.plus(Linear({}, 1)))


def _put(condition: Condition, values: _Values) -> tuple[Fact, ...]:
    return tuple(_fact(one, values) for one in condition.each)


def _less(condition: Condition, values: _Values) -> tuple[Fact, ...]:
    """The opposite of a single comparison; of a chain nothing is known."""
    first, *rest = _put(condition, values)
    return () if rest else (opposite(first),)


def _left(guard: Compared, values: _Values) -> list[Linear]:
    """What Dafny takes to become less: how far a loop's condition is from failing; for `!=` the distance of both."""
    left, right = guard.left.put(values), guard.right.put(values)
    up, down = right.plus(left, -1), left.plus(right, -1)
    return [up, down] if guard.sign == "!=" else [up if guard.sign[0] == "<" else down]


def _nothing(loop: Looped, before: _Values, any_time: _Values, known: Facts) -> list[Fact]:
    """Of what a loop changes nothing is known but by its invariants."""
    return []


def _bounds(loop: Looped, before: _Values, any_time: _Values, known: Facts) -> list[Fact]:
    """Constant bounds of what a loop changes that hold before it and are kept by its body: those of them that the
    numbers of the text name. What does not follow from all that is left is left out, until nothing changes."""
    numbers = sorted({0} | _numbers(loop))
    guess = [(name, sign, number) for name in sorted(changed(loop.body)) for sign in (1, -1) for number in numbers]
    guess = [one for one in guess if known.prove([_bound(one, before)])]
    held = known.and_so(fact for each in (*loop.invariants, loop.condition) for fact in _put(each, any_time))
    while guess:
        facts = held.and_so(_bound(one, any_time) for one in guess)
        paths = _Paths(_nothing).after(loop.body, any_time, facts)
        kept = [one for one in guess if all(facts.prove([_bound(one, values)]) for values, facts in paths)]
        if kept == guess:
            break
        guess = kept
    return [_bound(one, any_time) for one in guess]


def _bound(guess: tuple[str, int, int], values: _Values) -> Fact:
    """At most a number, or with the other sign at least."""
    name, sign, number = guess
    return ("<", values[name].plus(Linear({}, -number)).times(sign))


def _numbers(one: Statement) -> set[int]:
    """The constants of a loop's comparisons."""
    if not isinstance(one, Looped):
        return set()
    sides = [
        side for each in (one.condition, *one.invariants) for part in each.each for side in (part.left, part.right)
    ]
    return {side.constant for side in sides if not side.terms}.union(*map(_numbers, one.body))
