"""Lemmas of propositions and inequalities to be proved in Coq's tactics, of known depth. Drawn, not from a library.

    h1 : p -> x + 2 <= y, h2 : p /\\ q |- x <= y \\/ r

A lemma is grown from a proof: each step is undone at random, so that what it needs becomes an assumption. Its depth is
then that of the least deep proof which a search finds (`tasks.derivations`), and this proof the reference.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from rlft.errors import UserError
from rlft.noise import hashed
from rlft.tasks.derivations import depth_of
from rlft.types import Problem
from rlft.verifiers.deciding import lia, tauto
from rlft.verifiers.formulas import AND, FALSE, IMPLIES, OR, AtMost, Formula, Joined, Letter, names, negated
from rlft.verifiers.goals import Goal, stated

SPLITS = {"train": range(6), "validation": range(6, 7), "test": range(7, 10)}
LETTERS, NUMBERS = "pqrs", "xyz"
DEEPEST, MOST_ADDED = 6, 3
MOST_ASSUMED, _LONG, _NESTED = 6, 100, 2

_Needed = tuple[Formula, list[Formula]]
"""What is to be proved and all that it takes."""


class Lemmas:
    """Problems whose input is a lemma, and whose answer is a proof of it, one sentence a line.

    Columns: `statement`, the lemma; `depth`, how many steps the longest branch of its least deep proof has, without
    those that only name an assumption and without the last. Depths come equally often. Splits are disjoint, also up to
    the names of letters and numbers. `size` takes the first so many, which are kept once they were drawn.

    shallowest, deepest   of the depths, 1 to 6
    arithmetic            how often the end of a branch is about numbers
    automatic             how many of the lemmas either `tauto` or `lia` proves at once; nobody else would be needed
    """

    def __init__(
        self,
        shallowest: int = 2,
        deepest: int = 4,
        split: str = "train",
        size: int | None = None,
        arithmetic: float = 0.5,
        automatic: float = 0.25,
    ):
        if split not in SPLITS:
            raise UserError(f"lemmas have the splits {', '.join(SPLITS)}; not {split!r}")
        if not 1 <= shallowest <= deepest <= DEEPEST:
            raise UserError(f"depths are 1 <= shallowest <= deepest <= {DEEPEST}; got {shallowest} and {deepest}")
        self.shallowest, self.deepest, self.split, self.size = shallowest, deepest, split, size
        self.arithmetic, self.automatic, self.name = arithmetic, automatic, f"lemmas-{shallowest}-{deepest}"
        self._kept: dict[int, Problem] = {}

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        if index not in self._kept:
            problem = self._drawn(index)
            if self.size is None:
                return problem
            self._kept[index] = problem
        return self._kept[index]

    def _drawn(self, index: int) -> Problem:
        draw = random.Random(hashed(self.name, self.split, index))
        depth = self.shallowest + index % (self.deepest - self.shallowest + 1)
        automatic = draw.random() < self.automatic
        while True:
            lemma = grown(draw, depth, self.arithmetic)
            text = stated(lemma)
            if len(text) > _LONG or not belongs(lemma, self.split) or alone(lemma) != automatic:
                continue
            found = depth_of(lemma, depth)
            if found is not None and found[0] == depth:
                columns = {"statement": text, "depth": depth}
                return Problem(index, f"{text}\n", lines(found[1]), columns, self.name, self.split)


def lines(sentences: Sequence[str]) -> str:
    """A proof as it is written, a sentence a line."""
    return "".join(f"{sentence}\n" for sentence in sentences)


def alone(lemma: Goal) -> bool:
    """Whether one automatic tactic proves it."""
    return any(solve(lemma.formulas(), lemma.wanted) for solve in (tauto, lia))


def belongs(lemma: Goal, split: str) -> bool:
    """Whether a lemma is of this split: by what it says, whatever its letters and numbers are called."""
    formulas = (*lemma.formulas(), lemma.wanted)
    held = dict.fromkeys(name for formula in formulas for name in names(formula))
    text = stated(lemma).translate({ord(name): f"<{place}>" for place, name in enumerate(held)})
    return hashed("lemma", text) % 10 in SPLITS[split]


def grown(draw: random.Random, depth: int, arithmetic: float) -> Goal:
    """A lemma that has a proof of at most this depth, most often."""
    while True:
        wanted, needed = _grown(draw, depth, arithmetic)
        assumed = list(dict.fromkeys(needed))
        if len(assumed) <= MOST_ASSUMED and max(map(_height, (*assumed, wanted))) <= _NESTED:
            break
    draw.shuffle(assumed)
    return Goal(tuple((f"h{place}", one) for place, one in enumerate(assumed, 1)), wanted)


def _height(formula: Formula) -> int:
    """How many signs stand one in the other, `~` not counted."""
    if not isinstance(formula, Joined):
        return 0
    left, right = _height(formula.left), _height(formula.right)
    return left if formula.right == FALSE else 1 + max(left, right)


def _grown(draw: random.Random, depth: int, arithmetic: float) -> _Needed:
    if depth == 0:
        return _leaf(draw, arithmetic)
    wanted, needed = _grown(draw, depth - 1, arithmetic)
    rule = draw.choice((_both, _either, _onwards, _onwards, _paired, _cases, _absurd))
    wanted, needed = rule(draw, wanted, needed, arithmetic)
    if len(needed) > 1 and draw.random() < 0.2:  # assumed in the middle of the proof
        place = draw.randrange(len(needed))
        return Joined(IMPLIES, needed[place], wanted), needed[:place] + needed[place + 1 :]
    return wanted, needed


def _leaf(draw: random.Random, arithmetic: float) -> _Needed:
    """The end of a branch: what is assumed, or follows from one or two inequalities."""
    if draw.random() >= arithmetic:
        letter = _letter(draw)
        return letter, [letter]
    first, middle, last = draw.sample(NUMBERS, 3)
    one, other = draw.randint(0, MOST_ADDED - 1), draw.randint(0, MOST_ADDED - 1)
    if draw.random() < 0.5:
        wanted = AtMost(first, max(0, one + other - draw.randint(0, 1)), last, 0)
        return wanted, [AtMost(first, one, middle, 0), AtMost(middle, other, last, 0)]
    return AtMost(first, max(0, one - 1), last, draw.randint(0, 1)), [AtMost(first, one, last, 0)]


def _letter(draw: random.Random) -> Letter:
    return Letter(draw.choice(LETTERS))


def _small(draw: random.Random, arithmetic: float) -> Formula:
    """Any letter or inequality."""
    if draw.random() >= arithmetic:
        return _letter(draw)
    left, right = draw.sample(NUMBERS, 2)
    return AtMost(left, draw.randint(0, MOST_ADDED - 1), right, 0)


def _swapped(draw: random.Random, sign: str, one: Formula, other: Formula) -> Joined:
    """Both, in any order."""
    return Joined(sign, one, other) if draw.random() < 0.5 else Joined(sign, other, one)


def _both(draw: random.Random, wanted: Formula, needed: list[Formula], arithmetic: float) -> _Needed:
    """`split`: something else is to be proved as well."""
    other, more = _leaf(draw, arithmetic)
    return _swapped(draw, AND, wanted, other), needed + more


def _either(draw: random.Random, wanted: Formula, needed: list[Formula], arithmetic: float) -> _Needed:
    """`left` or `right`: something else would do."""
    return _swapped(draw, OR, wanted, _small(draw, arithmetic)), needed


def _onwards(draw: random.Random, wanted: Formula, needed: list[Formula], arithmetic: float) -> _Needed:
    """`refine`: something else follows, perhaps from a second premise too."""
    end = _small(draw, arithmetic)
    if draw.random() < 0.7:
        return end, [*needed, Joined(IMPLIES, wanted, end)]
    other, more = _leaf(draw, arithmetic)
    return end, [*needed, *more, Joined(IMPLIES, wanted, Joined(IMPLIES, other, end))]


def _paired(draw: random.Random, wanted: Formula, needed: list[Formula], arithmetic: float) -> _Needed:
    """`destruct`: one of the assumptions is a part of one."""
    place = draw.randrange(len(needed))
    part, rest = needed[place], needed[:place] + needed[place + 1 :]
    other = rest.pop(draw.randrange(len(rest))) if rest and draw.random() < 0.5 else _small(draw, arithmetic)
    return wanted, [*rest, _swapped(draw, AND, part, other)]


def _cases(draw: random.Random, wanted: Formula, needed: list[Formula], arithmetic: float) -> _Needed:
    """`destruct`: an assumption holds or something else does, from which the same follows."""
    place = draw.randrange(len(needed))
    part, rest = needed[place], needed[:place] + needed[place + 1 :]
    other = _small(draw, arithmetic)
    follows = negated(other) if draw.random() < 0.5 else Joined(IMPLIES, other, wanted)
    return wanted, [*rest, _swapped(draw, OR, part, other), follows]


def _absurd(draw: random.Random, wanted: Formula, needed: list[Formula], arithmetic: float) -> _Needed:
    """`exfalso`: the opposite is assumed, and anything follows."""
    return _small(draw, arithmetic), [*needed, negated(wanted)]
