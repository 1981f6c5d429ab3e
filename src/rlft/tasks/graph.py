"""A small knowledge graph, and questions of several hops through it with options: a task for small models that know it.

What the question rests on is not in the prompt: facts are known, or they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rlft.noise import hashed, permuted
from rlft.rewards.text import label
from rlft.types import Problem, Reward, UserError

OPTIONS = 4
RELATIONS = ("causes", "treats", "carries", "blocks")
_SPLITS = ("train", "test")
_SYLLABLES = ("ba", "do", "ki", "lu", "me", "ro", "sa", "ti", "vu", "zo")
THINK = "</think>"


def entities(count: int) -> list[str]:
    """The names of so many entities, of two syllables each: `bado`."""
    names = [one + other for one in _SYLLABLES for other in _SYLLABLES if one != other]
    if not OPTIONS + 1 < count <= len(names):
        raise UserError(f"a graph has {OPTIONS + 2} to {len(names)} entities; got {count}")
    return [names[permuted(place, len(names), "entities")] for place in range(count)]


class Graph:
    """Every entity has one neighbour by each relation, another for each; `seed` draws it."""

    def __init__(self, count: int = 24, seed: int = 0):
        self.names, self.seed = entities(count), seed
        self._to = {
            (name, relation): self._drawn(place, number)
            for place, name in enumerate(self.names)
            for number, relation in enumerate(RELATIONS)
        }

    def _drawn(self, place: int, number: int) -> str:
        """A permutation of the other entities, of which the first ones are the neighbours."""
        others = [*self.names[:place], *self.names[place + 1 :]]
        return others[permuted(number, len(others), "graph", self.seed, place)]

    def after(self, entity: str, relation: str) -> str:
        """The neighbour by this relation."""
        return self._to[entity, relation]

    def walk(self, start: str, relations: Sequence[str]) -> list[str]:
        """Start, and where each relation leads from there in turn."""
        found = [start]
        for relation in relations:
            found.append(self.after(found[-1], relation))
        return found

    def connected(self, said: Sequence[str]) -> int:
        """How many hops of the graph a thought tells, entity, relation and neighbour one behind the other."""
        triples = zip(said, said[1:], said[2:], strict=False)
        return sum(self._to.get((one, by)) == other for one, by, other in triples)


class Hops:
    """Questions such as ` bado treats causes ? rozo kilu tido sava =`: where do two hops from bado lead?

    They have as many hops as `hops` say, which take turns. `columns` are `hops`, the `path` as a text, ` bado treats
    kilu causes rozo`, `start`, `relations`, the answer's `place` among the options, and `draw`, which their order hangs
    on. The `demonstration` is the path, `</think>`, and the option; the `answer` the option; the reward `label()`.
    Options are four entities, of which one is where the same walk with another last relation leads, and no one is the
    start; the answer stands at each place equally often, and a guess is right one time in four. Splits are halves of
    all questions by a hash; without a `size` there is no end of them.
    """

    def __init__(self, graph: Graph, hops: Sequence[int], size: int | None = None, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"hops have the splits {', '.join(_SPLITS)}; not {split!r}")
        if not hops or min(hops) < 1:
            raise UserError(f"a question has at least one hop; got hops {hops!r}")
        self.graph, self.hops, self.size, self.split = graph, tuple(hops), size, split
        self.name = f"hops-{'-'.join(map(str, hops))}-{len(graph.names)}-{graph.seed}"
        self.reward: Reward = label()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        hops, attempt = self.hops[index % len(self.hops)], 0
        while hashed("half", *(drawn := self._drawn(index, hops, attempt))) % 2 != _SPLITS.index(self.split):
            attempt += 1
        start, *relations = drawn
        asked = self.asked(start, relations, hashed("options", self.name, self.split, index))
        return replace(asked, index=index, task=self.name, split=self.split)

    def asked(self, start: str, relations: Sequence[str], draw: int) -> Problem:
        """The question where these relations lead, with options in the order of this draw."""
        walk = self.graph.walk(start, relations)
        options = self._options(walk, relations, draw)
        places = [permuted(place, len(options), "order", draw) for place in range(len(options))]
        shown = [options[place] for place in places]
        path = told(walk, relations)
        columns = {"hops": len(relations), "path": path, "start": start, "relations": tuple(relations)}
        columns |= {"place": shown.index(walk[-1]), "draw": draw}
        lesson = f"{path}{THINK} {walk[-1]}"
        question = f" {start}{told_of(relations)} ?{told_of(shown)} ="
        return Problem(0, question, walk[-1], columns, demonstration=lesson)

    def _options(self, walk: Sequence[str], relations: Sequence[str], draw: int) -> list[str]:
        """The answer, a near miss, and two others, the same whatever their order."""
        others = [relation for relation in RELATIONS if relation != relations[-1]]
        near = self.graph.after(walk[-2], others[hashed("near", *walk, *relations) % len(others)])
        left = [name for name in self.graph.names if name not in (walk[-1], near, walk[0])]
        key = ("others", *walk, *relations)
        found = [walk[-1], near] if near != walk[0] else [walk[-1]]
        return found + [left[permuted(n, len(left), *key)] for n in range(OPTIONS - len(found))]

    def _drawn(self, index: int, hops: int, attempt: int) -> tuple[str, ...]:
        draw = hashed(self.name, self.split, index, attempt)
        names = self.graph.names
        kinds = [RELATIONS[hashed(draw, place) % len(RELATIONS)] for place in range(hops)]
        walk = self.graph.walk(names[draw % len(names)], kinds)
        # a walk that comes back to its start would have the start among the options
        return (walk[0], *kinds) if walk[-1] != walk[0] else self._drawn(index, hops, attempt + 1000)


class Reordered:
    """The same questions with the same options in another order; what was not asked of the task is not here."""

    def __init__(self, task: Hops):
        self.task, self.size, self.split, self.reward = task, task.size, task.split, task.reward
        self.name = f"{task.name}-reordered"

    def at(self, index: int) -> Problem:
        """The problem with this index, its options moved so that the answer has another place."""
        own = self.task.at(index)
        for turn in range(1, 100):
            columns = own.columns
            again = self.task.asked(columns["start"], columns["relations"], hashed("again", columns["draw"], turn))
            if again.columns["place"] != columns["place"]:
                return replace(again, index=index, task=self.name, split=self.split)
        raise AssertionError("a hundred orders with the answer at one place")


def told(walk: Sequence[str], relations: Sequence[str]) -> str:
    """A path as text: ` bado treats kilu causes rozo`."""
    return f" {walk[0]}" + "".join(f" {by} {to}" for by, to in zip(relations, walk[1:], strict=True))


def told_of(words: Sequence[str]) -> str:
    """Words as text."""
    return "".join(f" {word}" for word in words)


def vocabulary(count: int) -> list[str]:
    """The tokens of questions and answers about a graph of so many entities."""
    words = [*entities(count), *RELATIONS, "?", "="]
    return [*(f" {word}" for word in words), THINK]
