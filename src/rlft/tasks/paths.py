"""Ways through a small graph, by letters: a task with many right answers, or with exactly one. Not graph search.

The graph is not in the question: a model has to know it, as it knows words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from string import ascii_lowercase
from typing import Any

from rlft.noise import permuted
from rlft.types import Problem, UserError

_SPLITS = {"train": (0, 8), "test": (8, 10)}  # tenths of all questions


class Paths:
    """Questions such as `cf=`: a way from c to f along edges, `cadf`, with no letter twice; the reward is 1 for any.

    The graph is a binary tree of `nodes` letters, shuffled, with `chords` more edges; it is the same for all seeds.
    Without chords it has one way for each question. Splits are intervals of one permutation of all ordered pairs: 520
    in `train` and 130 in `test` with 26 nodes. The answer is a shortest way.

    chords   edges besides the tree's: the more, the more right answers
    longest  letters of a way at most, ends included
    """

    def __init__(self, nodes: int = 26, chords: int = 26, longest: int = 9, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"this task has the splits {', '.join(_SPLITS)}; not {split!r}")
        if not 3 <= nodes <= len(ascii_lowercase):
            raise UserError(f"nodes are letters, from 3 to {len(ascii_lowercase)} of them; got {nodes}")
        pairs = nodes * (nodes - 1) // 2
        if not 0 <= chords <= pairs - nodes + 1:
            raise UserError(f"a tree of {nodes} letters has room for {pairs - nodes + 1} more edges; got {chords}")
        self.split, self.name, self.longest = split, f"paths-{nodes}-{chords}", longest
        self.letters = ascii_lowercase[:nodes]
        self.edges = _graph(nodes, chords)
        self._total = nodes * (nodes - 1)
        start, stop = (self._total * tenths // 10 for tenths in _SPLITS[split])
        self._start, self.size = start, stop - start

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        number = permuted(self._start + index, self._total, "paths", len(self.letters))
        first, other = divmod(number, len(self.letters) - 1)
        ends = self.letters[first] + self.letters[other + (other >= first)]
        return Problem(index, f"{ends}=", self.shortest(ends), {"ends": ends}, task=self.name, split=self.split)

    def reward(self, problems: Sequence[Problem], outputs: Sequence[Any]) -> list[float]:
        """1 for a way between the problem's ends, else 0."""
        return [float(self.leads(p.columns["ends"], str(o))) for p, o in zip(problems, outputs, strict=True)]

    def leads(self, ends: str, way: str) -> bool:
        """Whether `way` goes from the first to the second of `ends` along edges, with no letter twice."""
        steps = all(b in self.edges.get(a, "") for a, b in pairwise(way))
        return steps and len(set(way)) == len(way) <= self.longest and way[:1] + way[-1:] == ends

    def shortest(self, ends: str) -> str:
        """The shortest way, and the alphabetically first of those."""
        queue, seen = deque([ends[0]]), {ends[0]}
        while queue:
            way = queue.popleft()
            if way[-1] == ends[1]:
                return way
            onwards = [letter for letter in self.edges[way[-1]] if letter not in seen]
            seen.update(onwards)
            queue.extend(way + letter for letter in onwards)
        raise AssertionError("a tree connects all letters")

    def ways(self, ends: str, most: int | None = None) -> list[str]:
        """Every right answer of up to `most` letters, shortest first."""
        limit = min(most or self.longest, self.longest)
        found, going = [], [ends[0]]
        while going:
            found += [way for way in going if way[-1] == ends[1]]
            open_ = [way for way in going if way[-1] != ends[1] and len(way) < limit]
            going = [way + letter for way in open_ for letter in self.edges[way[-1]] if letter not in way]
        return found


def _graph(nodes: int, chords: int) -> dict[str, str]:
    """Each letter's neighbours in alphabetical order."""
    letters = [ascii_lowercase[permuted(place, nodes, "letters")] for place in range(nodes)]
    tree = [(letters[(place - 1) // 2], letters[place]) for place in range(1, nodes)]
    joined = {frozenset(edge) for edge in tree}
    rest = [frozenset((a, b)) for i, a in enumerate(sorted(letters)) for b in sorted(letters)[i + 1 :]]
    rest = [edge for edge in rest if edge not in joined]
    joined |= {rest[permuted(i, len(rest), "chords")] for i in range(chords)}
    return {a: "".join(sorted(b for edge in joined if a in edge for b in edge - {a})) for a in sorted(letters)}
