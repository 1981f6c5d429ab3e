"""Questions of several hops with four options, bare or as vignettes, which tell all of the walk but its end.

A bare question is answered from what one knows; of a vignette only the last fact has to be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rlft.noise import hashed, permuted
from rlft.rewards.text import label
from rlft.tasks.graph import OPTIONS, RELATIONS, THINK, Graph, told, told_of
from rlft.types import Problem, Reward, UserError

_SPLITS = ("train", "test")


class Vignettes:
    """Questions such as ` bado treats causes ? rozo kilu tido sava =`, and ` bado treats kilu causes ? rozo …`.

    `columns` are `hops`, `facts` (how many the question tells, 0 of a bare one), the `path`, `start`, `relations` and
    `tempting`, the option where the last relation leads from the start: what one names who leaves out what is between.
    The other options are the answer, where another last relation leads, and an entity by lot; none is the start, and
    the answer stands at each place equally often. `hops` take turns, and after each turn bare and told; `told` asks all
    with their facts, or none, the same walks with the same options. Splits are halves of all walks by a hash.
    """

    def __init__(
        self,
        graph: Graph,
        hops: Sequence[int],
        size: int | None = None,
        split: str = "train",
        told: bool | None = None,
    ):
        if split not in _SPLITS:
            raise UserError(f"vignettes have the splits {', '.join(_SPLITS)}; not {split!r}")
        if not hops or min(hops) < 1:
            raise UserError(f"a question has at least one hop; got hops {hops!r}")
        self.graph, self.hops, self.size, self.split, self.told = graph, tuple(hops), size, split, told
        self.name = f"vignettes-{'-'.join(map(str, hops))}-{len(graph.names)}-{graph.seed}"
        self.reward: Reward = label()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        turn, place = divmod(index, len(self.hops))
        asked = self.asked(*self._drawn(index, self.hops[place]), hashed("order", self.name, self.split, index))
        given = self.told if self.told is not None else turn % 2 == 1
        return replace(asked if not given else self.vignette(asked), index=index, task=self.name, split=self.split)

    def asked(self, start: str, relations: Sequence[str], draw: int) -> Problem:
        """The bare question where these relations lead, its options in the order of this draw."""
        walk = self.graph.walk(start, relations)
        tempting = self.graph.after(start, relations[-1])
        others = [relation for relation in RELATIONS if relation != relations[-1]]
        near = self.graph.after(walk[-2], others[hashed("near", *walk, draw) % len(others)])
        found = [name for name in dict.fromkeys((walk[-1], tempting, near)) if name != start]
        left = [name for name in self.graph.names if name not in (*found, start)]
        found += [left[permuted(n, len(left), "others", *walk, draw)] for n in range(OPTIONS - len(found))]
        shown = [found[permuted(place, OPTIONS, "places", draw)] for place in range(OPTIONS)]
        path = told(walk, relations)
        columns = {"hops": len(relations), "facts": 0, "path": path, "start": start, "relations": tuple(relations)}
        columns |= {"tempting": tempting}
        question = f" {start}{told_of(relations)} ?{told_of(shown)} ="
        return Problem(0, question, walk[-1], columns, demonstration=f"{path}{THINK} {walk[-1]}")

    def vignette(self, problem: Problem) -> Problem:
        """The same question with where each relation leads but the last."""
        columns = problem.columns
        relations = columns["relations"]
        walk = self.graph.walk(columns["start"], relations)
        asked = f"{told(walk[:-1], relations[:-1])} {relations[-1]} ?{problem.input.split('?')[1]}"
        return replace(problem, input=asked, columns={**columns, "facts": len(relations) - 1})

    def _drawn(self, index: int, hops: int) -> tuple[str, list[str]]:
        """A walk of this split that does not end where it begins."""
        for attempt in range(1000):
            draw = hashed(self.name, self.split, index, attempt)
            start = self.graph.names[draw % len(self.graph.names)]
            relations = [RELATIONS[hashed(draw, place) % len(RELATIONS)] for place in range(hops)]
            half = hashed("half", start, *relations) % 2 == _SPLITS.index(self.split)
            if half and self.graph.walk(start, relations)[-1] != start:
                return start, relations
        raise AssertionError("a thousand walks of the other split")
