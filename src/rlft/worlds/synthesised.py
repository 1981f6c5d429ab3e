"""Chains of sums that a faulty writer makes for the topics of a tree, and validators who may take his word for it.

Some of his problems cannot be solved (a number is missing), of others his answer slips. A validator works a problem
out, and is right unless it slips itself; or it trusts, and takes whatever is there. Both are rules with known chances
and stand for strong models. The student is a small character model that a careless teacher has shown half of the
topics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.text import exact
from rlft.synthesis.make import Made
from rlft.synthesis.taxonomy import Path_, taxonomy
from rlft.synthesis.validation import Verdict, kept
from rlft.tasks.chains import Chains, slips, totals
from rlft.training.stream import Stream
from rlft.types import Problem, UserError
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when a model or the data would come out otherwise.
VERSION = 3
SIGNS = {"sums": "+", "differences": "-", "products": "*", "mixed": "+-*"}
TOPICS = taxonomy({name: ["2 steps", "3 steps", "4 steps"] for name in SIGNS}).leaves
KNOWN = [topic for topic in TOPICS if topic[0] != "mixed" and topic[1] != "4 steps"]
ILL, WRONG = 15, 15  # of a hundred problems of the writer
TRUST, SLIP = (
    40,
    3,
)  # of a hundred problems that a validator takes as they are, and of a hundred totals that it works out
_CARELESS = 8  # one total in so many is a slip of the student's teacher
Filter = Literal["none", "one", "two", "three", "twins", "oracle"]
# By filter who validates; two of one name are of one mind.
_WHO: Mapping[str, Sequence[str]] = {
    "none": (),
    "one": ("A",),
    "two": ("A", "B"),
    "three": ("A", "B", "C"),
    "twins": ("A", "A"),
}


def synthesised(
    kept_by: Filter = "two",
    count: int = 480,
    liking: float = 0.0,
    imitation: int = 2500,
    questions: int = 480,
    seed: int = 0,
) -> World:
    """Problems that were written and filtered, with their workings, to imitate or to be paid for.

    Args:
        kept_by: who has to take a problem: nobody, one validator, two or three; two of one mind; or one who knows.
        count: problems that are kept, whatever the filter.
        liking: how unevenly the writer spreads them over topics, the k-th that he likes in 1/k**liking of the cases;
            0 is evenly.
        imitation: supervised steps of the student before, 64 answers of a careless teacher to half of the topics each.
        questions: held-out ones, of all topics alike.
        seed: of what is written, and of who trusts what.
    """
    data = Shown(kept_by, count, liking, seed)
    test = Questions("test", questions)
    policy = student(imitation)
    measures = [by_topic(test.reward)]
    return World(policy, data, test, test.reward, measures=measures, samples=4, probes=[lambda policy: data.counts])


class Questions:
    """Chains of all topics in turn; `columns["topic"]` is the place of theirs among `TOPICS`."""

    reward = staticmethod(exact())

    def __init__(self, split: str, size: int | None = None, topics: Sequence[Path_] = TOPICS):
        self.chains = [of_topic(topic, split) for topic in topics]
        self.topics, self.name, self.split, self.size = topics, f"topics-{len(topics)}", split, size

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        each, place = divmod(index, len(self.chains))
        problem = self.chains[place].at(each)
        text = asked(chain_of(problem))
        columns = {"topic": TOPICS.index(self.topics[place])}
        return replace(problem, index=index, input=text, columns=columns, task=self.name, split=self.split)


class Shown:
    """What was kept, as a task whose problems carry their workings.

    counts  `data/precision`, the share that is well posed and right; `data/wrong` and `data/ill`; `data/recall`, the
            share of the good ones that were taken; `data/written`, how many had to be written for one that is kept
    """

    def __init__(self, kept_by: Filter, count: int, liking: float, seed: int):
        self.name, self.split, self.size = f"synthesised-{kept_by}-{liking:g}", "train", count
        wanted = quotas(count, liking)
        self.made: list[Made] = []
        seen = Counter[str]()
        for topic, most in wanted.items():
            left, number = most, 0
            while left:
                one, good = written(topic, number, seed)
                number += 1
                taken = good if kept_by == "oracle" else kept(verdicts(one, _WHO[kept_by], seed))
                seen.update({"written": 1, "good": good, "good taken": good and taken})
                if taken:
                    left -= 1
                    seen.update({"wrong": not good and "?" not in one.problem, "ill": "?" in one.problem})
                    self.made.append(one)
        bad = seen["wrong"] + seen["ill"]
        self.counts = {
            "data/precision": 1 - bad / count,
            "data/wrong": seen["wrong"] / count,
            "data/ill": seen["ill"] / count,
            "data/recall": seen["good taken"] / seen["good"],
            "data/written": seen["written"] / count,
        }

    def at(self, index: int) -> Problem:
        """The problem, in an order that mixes the topics."""
        one = self.made[index * _STRIDE % len(self.made)]
        columns = {"topic": TOPICS.index(one.topic)}
        return Problem(index, one.problem, one.answer, columns, self.name, self.split)


_LONGEST = 4  # steps
_STRIDE = 7919  # a prime, so that each place comes up once


def quotas(count: int, liking: float) -> dict[Path_, int]:
    """How many problems of each topic are kept, of `count` in all."""
    ranked = sorted(range(len(TOPICS)), key=lambda place: hashed("liked", place))
    weights = {TOPICS[place]: (rank + 1) ** -liking for rank, place in enumerate(ranked)}
    total, found, reached = sum(weights.values()), {}, 0.0
    for topic in TOPICS:
        before, reached = round(reached), reached + count * weights[topic] / total
        found[topic] = round(reached) - before
    if count % _STRIDE == 0 or min(found.values()) < 0:
        raise UserError(f"count={count} must be at least 1 and no multiple of {_STRIDE}")
    return found


def asked(chain: str) -> str:
    """A chain as it is asked for, as long as the longest."""
    return chain.ljust(2 * _LONGEST + 1, ".") + "="


def chain_of(problem: Problem | Made) -> str:
    """The chain that is asked for."""
    return str(problem.problem if isinstance(problem, Made) else problem.input).rstrip(".=")


def of_topic(topic: Path_, split: str = "train") -> Chains:
    """Its chains."""
    steps = int(topic[1][0])
    return Chains((SIGNS[topic[0]],), steps, steps, split=split)


def written(topic: Path_, number: int, seed: int) -> tuple[Made, bool]:
    """The writer's so-manyth problem of a topic in the life of this seed, and whether it is well posed and right."""
    draw = hashed("written", seed, *topic, number)
    problem = of_topic(topic).at(draw % 100_000)
    chain, fault = chain_of(problem), hashed(draw, "fault") % 100
    place = hashed(draw, "place") % (len(chain) // 2)
    if fault < ILL:
        at = 2 * place + 2
        guess = totals(chain[:at] + str(hashed(draw, "guess") % 4 + 1) + chain[at + 1 :])
        return Made(topic, asked(f"{chain[:at]}?{chain[at + 1 :]}"), guess), False
    if fault < ILL + WRONG:
        off = [0] * (len(chain) // 2)
        off[place] = hashed(draw, "slip") % 9 + 1
        return Made(topic, asked(chain), totals(chain, off)), False
    return Made(topic, asked(chain), str(problem.answer)), True


def verdicts(one: Made, who: Sequence[str], seed: int) -> list[Verdict]:
    """What validators of these names say, each for itself."""
    return [_verdict(one, hashed("validator", name, seed, *one.topic, one.problem, one.answer)) for name in who]


def _verdict(one: Made, draw: int) -> Verdict:
    if hashed(draw, "trusts") % 100 < TRUST:
        return Verdict(True, True)
    if "?" in one.problem:
        return Verdict(False, False)
    chain = chain_of(one)
    tried = [hashed(draw, "slip", place) for place in range(len(chain) // 2)]
    off = [try_ // 100 % 9 + 1 if try_ % 100 < SLIP else 0 for try_ in tried]
    return Verdict(True, totals(chain, off) == one.answer)


def takes(steps: float = 3) -> tuple[float, float, float]:
    """The chances that a validator takes an ill-posed problem, a wrong answer (a slip of its own that makes it right
    aside) and a good problem of so many steps."""
    trust = TRUST / 100
    return trust, trust, trust + (1 - trust) * (1 - SLIP / 100) ** steps


def student(imitation: int) -> Language:
    """The cached model after its teacher."""
    stream = Stream(Questions("train", topics=KNOWN), seed=0)
    lessons = Lessons(lambda step: [careless(problem) for problem in stream.take(64)], imitation)
    shape: dict[str, Any] = {"width": 64, "layers": 2, "context": 24}
    return taught(f"synthesised-{VERSION}-{imitation}", "0123456789=?.+-*", lessons, tokens=6, **shape)


def careless(problem: Problem) -> Problem:
    """The problem with a working that slips now and then, and is gone on from."""
    chain = chain_of(problem)
    draw = hashed("careless", problem.task, problem.index, problem.visit)
    return replace(problem, answer=totals(chain, slips(draw, len(chain) // 2, _CARELESS)))


def by_topic(reward: Callable[..., Any]) -> Callable[[Sequence[Problem], Any], dict[str, float]]:
    """A measure: accuracy on the topics that the student's teacher has shown (`known`), on the others (`new`), and on
    the half of the topics that the writer likes least (`rare`)."""
    liked = quotas(10**6 + 1, 1.0)
    rare = {TOPICS.index(topic) for topic in sorted(TOPICS, key=lambda one: liked[one])[: len(TOPICS) // 2]}
    known = {TOPICS.index(topic) for topic in KNOWN}

    def measure(problems: Sequence[Problem], outputs: Any) -> dict[str, float]:
        earned = [float(one) for one in reward(problems, outputs)]
        topics = [problem.columns["topic"] for problem in problems]
        kinds = {"known": known, "new": set(range(len(TOPICS))) - known, "rare": rare}
        found = {name: [e for e, t in zip(earned, topics, strict=True) if t in which] for name, which in kinds.items()}
        return {name: sum(all_) / len(all_) for name, all_ in found.items() if all_}

    return measure
