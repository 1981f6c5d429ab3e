"""A small model that knows three facts in four of a graph, and questions with options that it answers hastily.

What it has read: walks, in which one fact in four leads anywhere; walks that the prompt tells but for their end,
through any entities; and how a careless teacher answers questions with options: of one hop he mostly walks, of more he
seldom does, and else names where the last relation leads from the start, which is among the options, or guesses. What
is learned from is chosen by how many of its own five answers are right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rlft.cache import cached
from rlft.measure.groups import means
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.noise import hashed, permuted
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.paths import thought
from rlft.rewards.text import label
from rlft.tasks.graph import RELATIONS, THINK, Graph, told, told_of, vocabulary
from rlft.tasks.subset import Subset
from rlft.tasks.vignettes import Vignettes
from rlft.training.evaluate import solved_share
from rlft.types import Measure, Problem, Task, Text, UserError
from rlft.worlds import World

# Raised when the base would come out otherwise.
VERSION = 1
ENTITIES = 24
HOPS = (1, 2, 3, 4, 5)
TOKENS = 16
_WALKS = (15, 8, 4, 2, 2)  # of sixteen answers to questions of one to five hops those that walk
_SLIP = 24  # one hop in so many leads elsewhere
_DIM = 4  # one fact in so many is unknown: told by lot
TRIES = 5  # draws that decide a level, as published
_DRAWN = 10**6  # a seed of its own for them
Band = Literal["easy", "middle", "hard", "mixed", "any", "vignettes", "bare"]
BANDS = ("easy", "middle", "hard")
Chains = Literal["slipping", "right", "same"]


def curated(
    data: Band = "mixed",
    problems: int = 192,
    chains: Chains = "slipping",
    imitation: int = 1300,
    pool: int = 3000,
    questions: int = 800,
    seed: int = 0,
) -> World:
    """So many questions out of a pool, by how often five draws of the base are right.

    Args:
        data: all five right (easy), some (middle), none (hard), a third of each (mixed), any; or any of two hops and
            more, as vignettes that tell the walk but for its end, or bare.
        problems: how many of them there are to learn from.
        chains: what is imitated, if anything is: walks of a teacher who knows all facts and slips in one hop of eight
            (slipping), or in none (right), or who slips and knows no more than the base has read (same).
        imitation: supervised steps of the base model, of 64 lessons each.
        pool: questions that are chosen from, half of them vignettes.
        questions: held-out ones, with a level each by five other draws.
        seed: which questions of the pool are chosen.
    """
    graph = Graph(ENTITIES)
    policy, told = base(imitation), {"vignettes": True, "bare": False}
    hops = HOPS[1:] if data in told else HOPS
    task, test = Vignettes(graph, hops, pool, told=told.get(data)), Vignettes(graph, HOPS, questions, "test")
    levels = [] if data in ("any", *told) else banded(policy, task, imitation)
    places = selected(data, levels, problems, pool, seed)
    train = Shown(Subset(task, places), graph, chains)
    measures = [by_band(banded(policy, test, imitation))]
    return World(policy, train, test, task.reward, measures=measures, watched=[thinking], samples=4)


def selected(data: Band, bands: Sequence[str], problems: int, pool: int, seed: int) -> list[int]:
    """The places in the pool of so many questions of a band, of equally many of each, or of any."""
    order = [permuted(place, pool, "selected", seed) for place in range(pool)]
    if data not in (*BANDS, "mixed"):
        return order[:problems]
    wanted = BANDS if data == "mixed" else (data,)
    found: list[int] = []
    for place, band in enumerate(wanted):
        count = problems // len(wanted) + (place < problems % len(wanted))
        own = [index for index in order if bands[index] == band][:count]
        if len(own) < count:
            raise UserError(f"of {pool} questions {len(own)} are {band}, {count} are wanted: raise pool")
        found += own
    return found


def banded(policy: Language, task: Task, imitation: int) -> list[str]:
    """The band of each problem of a finite task, by five draws of the base; kept."""

    def counted() -> list[int]:
        shares = solved_share(policy, task, label(), samples=TRIES, seed=_DRAWN)
        return [round(TRIES * shares[index]) for index in range(len(shares))]

    name = f"curated-levels-{VERSION}-{imitation}-{task.split}-{task.size}.json"
    right = cached(name, counted, lambda c, path: path.write_text(json.dumps(c)), lambda p: json.loads(p.read_text()))
    return [band_of(count) for count in right]


def band_of(right: int) -> str:
    """Of five right draws."""
    return "easy" if right == TRIES else "middle" if right else "hard"


class Shown:
    """Questions with the chain of a teacher as what is imitated."""

    def __init__(self, task: Subset, graph: Graph, chains: Chains):
        self.task, self.graph, self.chains = task, graph, chains
        self.name, self.split, self.size = task.name, task.split, task.size

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        problem = self.task.at(index)
        return problem if self.chains == "right" else walked(self.graph, problem, 8, knows=self.chains == "slipping")


def thinking(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """`walks`, the share of thoughts that name more than the start; `true`, of these, those that tell the walk."""
    thoughts = [thought(str(output)).strip() for output in outputs]
    walks = [len(one.split()) > 1 for one in thoughts]
    paths = [str(problem.columns["path"]).strip() for problem in problems]
    right = [one == path for one, path, walk in zip(thoughts, paths, walks, strict=True) if walk]
    return {"walks": sum(walks) / len(walks), "true": sum(right) / len(right) if right else 0.0}


def by_band(bands: Sequence[str]) -> Measure:
    """Accuracy on held-out questions: of each band of the base, of hard ones with facts and bare, and `thinking`'s."""
    right = label()

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        scores = right(problems, outputs).tolist()
        own = [bands[problem.index] for problem in problems]
        kinds = ["vignette" if problem.columns["facts"] else "bare" for problem in problems]
        both = means(scores, [f"{band}/{kind}" for band, kind in zip(own, kinds, strict=True)])
        hard = {name: both.get(name, 0.0) for name in ("hard/vignette", "hard/bare")}
        return {
            **dict.fromkeys(BANDS, 0.0),
            **means(scores, own),
            **means(scores, kinds),
            **hard,
            **thinking(problems, outputs),
        }

    return measure


def base(imitation: int) -> Language:
    """The cached model after so many batches of 64 lessons."""

    def build() -> Language:
        tokenizer = word_tokenizer(vocabulary(ENTITIES))
        policy = Language(small_llama(len(tokenizer), width=64, layers=2, context=56), tokenizer, max_new_tokens=TOKENS)
        imitate(policy, lessons, steps=imitation)
        return policy

    return cached_language(f"curated-{VERSION}-{imitation}", build, max_new_tokens=TOKENS)


def lessons(step: int) -> list[Problem]:
    """Twenty walks known by heart, twenty that are read, and 24 careless answers."""
    graph = Graph(ENTITIES)
    task = Vignettes(graph, HOPS)
    drawn = [task.at(at) for at in range(24 * step, 24 * step + 24)]
    known = [recalled(graph, problem) for problem in drawn[:20]]
    return [*known, *(read(graph, 20 * step + at) for at in range(20)), *(careless(graph, p) for p in drawn)]


def walking(start: str, relations: Sequence[str], walk: Sequence[str]) -> Problem:
    """A walk, asked for alone."""
    return Problem(0, f" {start}{told_of(relations)} =", None, {}, demonstration=told(walk, relations))


def recalled(graph: Graph, problem: Problem) -> Problem:
    """The problem's walk, asked for alone, as it is told: what is unknown leads anywhere."""
    columns = problem.columns
    walk = [columns["start"]]
    for place, relation in enumerate(columns["relations"]):
        walk.append(heard(graph, walk[-1], relation, hashed("told", problem.index, place)))
    return walking(columns["start"], columns["relations"], walk)


def heard(graph: Graph, entity: str, relation: str, lot: int) -> str:
    """Where a fact leads as the base has read it."""
    return graph.names[lot % ENTITIES] if unknown(entity, relation) else graph.after(entity, relation)


def unknown(entity: str, relation: str) -> bool:
    """Whether a fact is one of those told by lot."""
    return hashed("fact", entity, relation) % _DIM == 0


def read(graph: Graph, number: int) -> Problem:
    """A walk of two to five hops that the prompt tells but for its end, through any entities."""
    lot = hashed("read", number)
    hops = 2 + lot % (len(HOPS) - 1)
    walk = [graph.names[hashed(lot, place) % ENTITIES] for place in range(hops)]
    relations = [RELATIONS[hashed(lot, "by", place) % len(RELATIONS)] for place in range(hops)]
    shown = f"{told(walk, relations[:-1])} {relations[-1]} ="
    last = heard(graph, walk[-1], relations[-1], hashed(lot, "last"))
    return Problem(0, shown, None, {}, demonstration=told([*walk, last], relations))


def careless(graph: Graph, problem: Problem) -> Problem:
    """The question as the teacher answers it."""
    lot, columns, options = hashed("careless", *problem.key), problem.columns, options_of(problem)
    guess = options[hashed(lot, "guess") % len(options)]
    if lot % 16 >= _WALKS[columns["hops"] - 1]:
        lazy = lot // 16 % 4 and not unknown(columns["start"], columns["relations"][-1])
        hasty = columns["tempting"] if lazy else guess
        return replace(problem, demonstration=f" {columns['start']}{THINK} {hasty}")
    return walked(graph, problem, _SLIP, knows=False)


def walked(graph: Graph, problem: Problem, slips: int, knows: bool = True) -> Problem:
    """The question as one answers it who walks, slips in one hop of so many, and chooses what he came to; who `knows`
    knows all facts, others what the base has read."""
    lot, columns = hashed("walked", *problem.key), problem.columns
    options, walk = options_of(problem), [columns["start"]]
    for place, relation in enumerate(columns["relations"]):
        slip = hashed(lot, "slip", place)
        true = graph.after(walk[-1], relation) if knows else heard(graph, walk[-1], relation, hashed(lot, place))
        walk.append(true if slip % slips else graph.names[slip // slips % ENTITIES])
    chosen = walk[-1] if walk[-1] in options else options[hashed(lot, "guess") % len(options)]
    return replace(problem, demonstration=f"{told(walk, columns['relations'])}{THINK} {chosen}")


def options_of(problem: Problem) -> list[str]:
    """The options in their order."""
    return problem.input.split("?")[1].split()[:-1]
