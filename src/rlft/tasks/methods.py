"""Methods to be written in a part of Dafny: sums that a loop adds up between two numbers, with their invariants.

    // count up
    method M(k: int, n: int) returns (r: int)
      requires k <= n
      ensures r == 2 + 3 * n - 3 * k

Drawn, not from a library. `verifiers.conditions` verifies what is written, as Dafny does.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

from rlft.noise import hashed
from rlft.types import Problem, UserError

SPLITS = ("train", "validation", "test")
ASPECTS = ("start", "range", "relation", "guard", "step", "count")
"""What there is to get wrong: first values, the counter's bounds, what is summed so far, when the loop ends, what is
added in it, and what becomes of the counter."""
OUTS = "rs"
MOST_ADDED, MOST_FIRST = 5, 9


@final
@dataclass(frozen=True)
class Sum:
    """`name == first ± step · (n - k)`."""

    name: str
    first: int
    sign: str
    step: int

    def written(self, high: str, low: str) -> str:
        """The sum for a count from `low` to `high`."""
        other = "-" if self.sign == "+" else "+"
        return f"{self.name} == {self.first} {self.sign} {self.step} * {high} {other} {self.step} * {low}"


class Methods:
    """Problems whose input is a way to count and the head of a method, and whose answer is its body.

    Columns: `header`; `kind`, how it counts, how many sums there are (up to `sums`) and whether the first rises or
    falls, each equally often; `sums`. A head is of one split alone, whichever way it counts. `size` takes the first so
    many.
    """

    def __init__(self, split: str = "train", size: int | None = None, sums: int = 2):
        if split not in SPLITS:
            raise UserError(f"methods have the splits {', '.join(SPLITS)}; not {split!r}")
        if sums not in (1, 2):
            raise UserError(f"methods have one sum, or up to two; got sums={sums}")
        self.name, self.split, self.size, self.sums = "methods", split, size, sums

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        draw = random.Random(hashed(self.name, self.split, index))
        way, count, sign = ("up", "down")[index % 2], index // 2 % self.sums + 1, "+-"[index // 4 % 2]
        while True:
            sums = _sums(draw, count, sign)
            header = headed(sums)
            if _split(header) == self.split:
                break
        kind = f"{way}/{count}/{sign}"
        columns = {"header": header, "kind": kind, "sums": sums}
        answer = written(way, sums, (), draw)
        return Problem(index, f"// count {way}\n{header}\n", answer, columns, self.name, self.split)


def _sums(draw: random.Random, count: int, sign: str) -> tuple[Sum, ...]:
    signs = (sign, draw.choice("+-"))
    return tuple(
        Sum(name, draw.randint(0, MOST_FIRST), one, draw.randint(2, MOST_ADDED))
        for name, one in zip(OUTS[:count], signs, strict=False)
    )


def _split(header: str) -> str:
    kind = hashed("head", header) % 10
    return "train" if kind < 6 else "validation" if kind == 6 else "test"


def headed(sums: Collection[Sum]) -> str:
    """The head of the method that computes these."""
    made = ", ".join(f"{one.name}: int" for one in sums)
    ensured = "".join(f"\n  ensures {one.written('n', 'k')}" for one in sums)
    return f"method M(k: int, n: int) returns ({made})\n  requires k <= n{ensured}"


def written(way: str, sums: Collection[Sum], wrong: Collection[str], draw: random.Random) -> str:
    """A body that counts this way, with these aspects wrong; right, and no draw is made, if none is."""
    up = way == "up"
    spoiled = draw.choice(list(sums)) if wrong else None
    lines = ["{"]
    for one in sums:
        first = one.first if "start" not in wrong or one is not spoiled else _other(draw, one.first, 0, MOST_FIRST)
        lines.append(f"  {one.name} := {first};")
    lines += [f"  var i := {'k' if up else 'n'};", f"  while i {_guard(up, 'guard' in wrong)}"]
    if "range" not in wrong:
        lines.append("    invariant k <= i <= n")
    elif draw.random() < 0.5:
        lines.append(f"    invariant {'k <= i < n' if up else 'k < i <= n'}")
    for one in sums:
        if "relation" not in wrong or one is not spoiled:
            lines.append(f"    invariant {one.written(*(('i', 'k') if up else ('n', 'i')))}")
        elif draw.random() < 0.5:
            lines.append(f"    invariant {one.written(*(('n', 'i') if up else ('i', 'k')))}")
    lines.append("  {")
    for one in sums:
        step, sign = one.step, one.sign
        if "step" in wrong and one is spoiled:
            step, sign = (step, "-+"["+-".index(sign)]) if draw.random() < 0.5 else (_other(draw, step, 2, 5), sign)
        lines.append(f"    {one.name} := {one.name} {sign} {step};")
    counted = "+" if up != ("count" in wrong and draw.random() < 0.5) else "-"
    # a counter that goes the wrong way, or stands
    if "count" not in wrong or counted != ("+" if up else "-"):
        lines.append(f"    i := i {counted} 1;")
    return "\n".join([*lines, "  }", "}", ""])


def _guard(up: bool, wrong: bool) -> str:
    return ("<= n" if wrong else "< n") if up else (">= k" if wrong else "> k")


def _other(draw: random.Random, number: int, least: int, most: int) -> int:
    return draw.choice([one for one in range(least, most + 1) if one != number])


def ways_of(problem: Problem) -> tuple[str, tuple[Sum, ...]]:
    """How a problem is to be counted, and what."""
    columns: Mapping[str, Any] = problem.columns
    return columns["kind"].split("/")[0], columns["sums"]
