"""What `tauto` and `lia` prove of the formulas of `formulas`, decided here. Exact, and for small formulas.

`tauto` knows nothing of numbers: it decides intuitionistic logic, inequalities being letters to it. `lia` knows
nothing of letters: it decides, classically, what is true of all natural numbers whatever the letters are, each place
where one stands by itself, so that it does not even prove `p -> p`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlft.verifiers.formulas import AND, FALSE, IMPLIES, OR, AtMost, Formula, Joined, Letter


def tauto(known: Sequence[Formula], goal: Formula) -> bool:
    """Whether the goal follows in intuitionistic logic.

    The calculus without contraction of Dyckhoff 1992 (Journal of Symbolic Logic 57), which ends without a look at what
    it has been asked before.
    """
    return _follows([], list(known), goal)


def _follows(kept: list[Formula], new: list[Formula], goal: Formula) -> bool:
    """`kept` has letters, and what waits for one or for the proof of an implication."""
    kept, new = list(kept), list(new)
    while new:
        one = new.pop()
        if one == FALSE:
            return True
        if not isinstance(one, Joined):
            kept.append(one)
        elif one.sign == AND:
            new += [one.left, one.right]
        elif one.sign == OR:
            return _follows(kept, [*new, one.left], goal) and _follows(kept, [*new, one.right], goal)
        elif (simpler := _unfolded(one)) is not None:
            new += simpler
        else:
            kept.append(one)
        for held in kept:
            if isinstance(held, Joined) and held.left in kept:
                kept.remove(held)
                new.append(held.right)
                break
    return _decided(kept, goal)


def _unfolded(one: Joined) -> list[Formula] | None:
    """What an implication comes to whose left side is no letter and no implication."""
    left = one.left
    if left == FALSE:
        return []
    if not isinstance(left, Joined) or left.sign == IMPLIES:
        return None
    if left.sign == AND:
        return [Joined(IMPLIES, left.left, Joined(IMPLIES, left.right, one.right))]
    return [Joined(IMPLIES, left.left, one.right), Joined(IMPLIES, left.right, one.right)]


def _decided(kept: list[Formula], goal: Formula) -> bool:
    if goal in kept:
        return True
    if isinstance(goal, Joined):
        if goal.sign == IMPLIES:
            return _follows(kept, [goal.left], goal.right)
        if goal.sign == AND:
            return _decided(kept, goal.left) and _decided(kept, goal.right)
        if _decided(kept, goal.left) or _decided(kept, goal.right):
            return True
    for held in kept:
        if isinstance(held, Joined) and isinstance(held.left, Joined):  # (a -> b) -> c
            rest, inner = [other for other in kept if other is not held], held.left
            smaller = Joined(IMPLIES, inner.right, held.right)
            if _follows(rest, [smaller, inner.left], inner.right) and _follows(rest, [held.right], goal):
                return True
    return False


def lia(known: Sequence[Formula], goal: Formula) -> bool:
    """Whether the goal follows for all natural numbers, whatever its letters and those of `known` are."""
    return not _met([*((one, True) for one in known), (goal, False)], [], [])


_Said = tuple[Formula, bool]
"""A formula, and whether it is said to be true or to be false."""
_Bound = tuple[str, str, int]
"""left - right <= most."""


def _met(said: Sequence[_Said], bounds: Sequence[_Bound], either: Sequence[Sequence[_Said]]) -> bool:
    """Whether some numbers make each formula true, or false, and one of each of `either`, and keep within bounds."""
    said, bounds, either = list(said), list(bounds), list(either)
    while said:
        one, holds = said.pop()
        if one == FALSE and holds:
            return False
        if isinstance(one, AtMost):
            most = one.more - one.plus
            bounds.append((one.left, one.right, most) if holds else (one.right, one.left, -most - 1))
        elif isinstance(one, Joined):
            halves = [(one.left, holds == (one.sign != IMPLIES)), (one.right, holds)]
            if holds == (one.sign == AND):
                said += halves
            elif not any(map(_free, halves)):
                either.append(halves)
    if not _bounded(bounds):
        return False
    return not either or any(_met([half], bounds, either[1:]) for half in either[0])


def _free(said: _Said) -> bool:
    """Whether it may be so whatever the numbers are."""
    formula, holds = said
    return isinstance(formula, Letter) and (formula != FALSE or not holds)


def _bounded(bounds: Sequence[_Bound]) -> bool:
    """Whether there are such natural numbers: no sum of bounds around a circle is negative (Bellman and Ford)."""
    names = {name for left, right, _ in bounds for name in (left, right)}
    edges = [*bounds, *(("", name, 0) for name in names)]  # 0 - name <= 0
    least = dict.fromkeys([*names, ""], 0)
    for _ in range(len(least)):
        changed = False
        for left, right, most in edges:
            if least[right] + most < least[left]:
                least[left] = least[right] + most
                changed = True
        if not changed:
            return True
    return False
