"""Short texts whose worth is hidden, a judge who ranks them with errors of his own, and a base with its own tastes.

A question names three letters, `cah>`, and any four to eight letters answer it. What an answer is worth is linear in
seven things about it: how often it has each of five letters, how much of it the question names, and how often a letter
is followed by itself. Nobody who learns or judges knows these weights. The base has imitated a writer whose tastes are
the hidden ones with errors, and the judge's are the hidden ones with other errors, and with noise on each answer.

The judge is a simulation, of what a language model does that is shown rankings with a question: it makes one step of
gradient descent on them, as trained transformers are known to do in their context (von Oswald et al. 2023,
arXiv:2212.07677). So he likes an answer as far as it is like what was ranked above and unlike what was ranked below,
and his noise matters less the more right demonstrations he has of answers like it; wrong ones mislead him. He does not
know which are right. A real judge may learn less from what he is shown, or nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise, permutations
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.collect.agreed import DEMONSTRATIONS
from rlft.measure.text import text_measures
from rlft.metrics.rankings import kendall_tau
from rlft.noise import hashed, normal
from rlft.policies.language.policy import Language
from rlft.rewards.judging.ranking import groups, placed
from rlft.types import Measure, Parts, Problem, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 3
LETTERS = "abcdefgh"
SHORTEST, LONGEST = 4, 8
TOKENS = LONGEST + 1
# Of the features below: what an answer is worth, what the judge takes it to be, what the writer does.
TRUTH = (1.0, 0.6, -0.6, -0.8, -0.6, 1.0, -0.6)
JUDGED = (0.6, 1.0, 0.4, -0.4, -0.2, 0.8, 0.4)
LIKED = (0.6, -0.4, -0.6, -0.6, 0.8, 0.6, -0.4)
# A judge who likes most what is worth least, and what the base writes more of than it should.
BIASED = (0.7, 0.4, 0.0, -0.4, 0.8, 0.7, 0.0)
_SCALE = (2.5, 2.5, 2.5, 2.5, 2.5, 2.0, 2.0)  # so that each varies by about 0.3 over the base's answers
_TRUTH = torch.tensor(TRUTH).double()
_FINE = 2.0  # what a malformed answer costs
_DRAFTS = 3  # of which the writer takes the one that he likes best
_EXAMINED = 8  # answers in a group on which the judge is examined

Judge = Literal["noisy", "biased", "right"]


def ranked(
    judge: Judge = "noisy",
    noise: float = 0.6,
    learns: float = 3.0,
    imitation: int = 200,
    questions: int = 256,
    examined: int = 48,
    seed: int = 0,
) -> World:
    """Short answers of hidden worth, ranked by a simulated judge who learns from what he is shown.

    Args:
        judge: whose tastes are wrong in part, or mostly wrong and the base's too, or the hidden ones without noise.
        noise: standard deviation of the judge's error about an answer, where that of hidden worths is about 0.7.
        learns: step of gradient descent that he makes on the rankings he is shown; 0 learns nothing from them.
        imitation: supervised steps of the base model, 64 answers each.
        questions: held-out ones.
        examined: groups of eight answers by the base on which the judge is examined at every step.
        seed: of everything random but the base, the judge's noise too.
    """
    train, test = Questions(), Questions("test", questions)
    policy = base(imitation)
    weights = {"noisy": JUDGED, "biased": BIASED, "right": TRUTH}[judge]
    ranker = Ranker(weights, 0.0 if judge == "right" else noise, learns, seed)
    examining = examination(ranker, *answered(policy, examined))
    return World(policy, train, test, ranker, judged=worth, measures=[text_measures], watched=[examining])


class Questions:
    """Three different letters each; no three are in both splits."""

    name = "ranked"

    def __init__(self, split: str = "train", size: int | None = None):
        self.split, self.size = split, size

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        own = _triples(self.split)
        named = own[hashed("ranked", self.split, index) % len(own)]
        return Problem(index, named + ">", task=self.name, split=self.split)


@cache
def _triples(split: str) -> tuple[str, ...]:
    """Those of a split, one in four for testing."""
    found = ["".join(letters) for letters in permutations(LETTERS, 3)]
    return tuple(one for one in found if (hashed("ranked", *one) % 4 == 0) == (split == "test"))


def features(question: str, answer: str) -> Float[Tensor, "7"]:
    """Shares of the letters a, b, c, d and h, of letters that the question names, and of pairs that are alike.

    Each is centred by what uniform letters have, and scaled. Of an empty answer all are 0.
    """
    return torch.tensor(_features(question[:3], answer), dtype=torch.float64)


@cache
def _features(named: str, answer: str) -> tuple[float, ...]:
    if not answer:
        return (0.0,) * len(TRUTH)
    count, pairs = len(answer), max(len(answer) - 1, 1)
    found = [answer.count(letter) / count - 1 / len(LETTERS) for letter in "abcdh"]
    found.append(sum(letter in named for letter in answer) / count - 3 / len(LETTERS))
    found.append(sum(one == two for one, two in pairwise(answer)) / pairs - 1 / len(LETTERS))
    return tuple(scale * value for scale, value in zip(_SCALE, found, strict=True))


def described(problems: Sequence[Problem], outputs: Sequence[Any]) -> Float[Tensor, "N 7"]:
    """The features of each row."""
    rows = [features(problem.input, str(output)) for problem, output in zip(problems, outputs, strict=True)]
    return torch.stack(rows)


def worth(problems: Sequence[Problem], outputs: Sequence[Text]) -> Float[Tensor, "N"]:
    """What answers are worth, which nobody is told; a malformed one is worth 2 less."""
    return described(problems, outputs) @ _TRUTH - _FINE * malformed(outputs)


def malformed(outputs: Sequence[Any]) -> Float[Tensor, "N"]:
    """1 for an answer that does not end or is too short, else 0."""
    return torch.tensor([float(output.truncated or len(output) < SHORTEST) for output in outputs]).double()


class Ranker:
    """A `Reward`: the judge's place of each answer within its group, see `rewards.judging.ranking.placed`.

    He scores x by (w + learns · mean over demonstrations, and their pairs a above b, of (1 - sigmoid(w d)) d) x, with d
    = x_a - x_b, and adds noise that is an answer's own: the same question and answer have the same error at all times.
    """

    def __init__(self, weights: Sequence[float], noise: float, learns: float, seed: int = 0):
        self.weights, self.noise, self.learns, self.seed = torch.tensor(weights).double(), noise, learns, seed

    def __call__(self, problems: Sequence[Problem], outputs: Sequence[Any]) -> Parts:
        scores = self.scores(problems, outputs, shown_with(problems))
        found = torch.full((len(problems),), torch.nan)
        for rows in groups(problems):
            found[rows] = placed(scores[rows][None])[0].to(found)
        return Parts({"ranking": found}, {})

    def scores(
        self, problems: Sequence[Problem], outputs: Sequence[Any], shown: Sequence[Mapping[str, Any]] = ()
    ) -> Float[Tensor, "N"]:
        """What he thinks that they are worth when he is shown this."""
        score = described(problems, outputs) @ self.learned(shown) - _FINE * malformed(outputs)
        pairs = zip(problems, outputs, strict=True)
        keys = [hashed("judge", self.seed, problem.input, problem.index, str(output)) for problem, output in pairs]
        return score + self.noise * normal(torch.tensor(keys, dtype=torch.int64), 1)[:, 0]

    def learned(self, shown: Sequence[Mapping[str, Any]]) -> Float[Tensor, "7"]:
        """His weights after one step on what he is shown."""
        if not shown:
            return self.weights
        steps = []
        for one in shown:
            rows = torch.stack([features(one["prompt"], answer) for answer in one["answers"]])
            above, under = torch.triu_indices(len(rows), len(rows), offset=1)
            apart = rows[above] - rows[under]
            steps.append(((1 - (apart @ self.weights).sigmoid())[:, None] * apart).mean(0))
        return self.weights + self.learns * torch.stack(steps).mean(0)


def shown_with(problems: Sequence[Problem]) -> Sequence[Mapping[str, Any]]:
    """What is shown with these problems, the same with all of them."""
    return problems[0].columns.get(DEMONSTRATIONS, ()) if problems else ()


def answered(policy: Language, count: int) -> tuple[tuple[Problem, ...], list[Text]]:
    """Groups of a policy's answers to held-out questions, drawn once."""
    test = Questions("test")
    rows = policy.sample([test.at(10**6 + index) for index in range(count)], _EXAMINED, seed=10**5)
    return rows.problems, list(rows.outputs)


def examination(ranker: Ranker, problems: Sequence[Problem], outputs: Sequence[Text]) -> Measure:
    """How well the judge ranks these rows with what he is shown now, whatever the policy writes.

    tau    Kendall's, of his order and the hidden one, on average over groups
    right  share of the pairs that he is shown that are in the hidden order; NaN where he is shown none
    """
    truth = worth(problems, outputs).reshape(-1, _EXAMINED)

    def measure(asked: Sequence[Problem], _: Sequence[Any]) -> dict[str, float]:
        shown = shown_with(asked)
        found = ranker.scores(problems, outputs, shown).reshape(-1, _EXAMINED)
        return {"tau": float(kendall_tau(found, truth).nanmean()), "right": rightness(shown)}

    return measure


def rightness(shown: Sequence[Mapping[str, Any]]) -> float:
    """The share of the pairs of these demonstrations that are in the hidden order; NaN without any."""
    pairs = []
    for one in shown:
        own = torch.stack([features(one["prompt"], answer) for answer in one["answers"]]) @ _TRUTH
        above, under = torch.triu_indices(len(own), len(own), offset=1)
        pairs.append((own[above] > own[under]).double())
    return float(torch.cat(pairs).mean()) if pairs else math.nan


def base(imitation: int) -> Language:
    """The cached model after so many batches of 64 answers of the writer's."""
    task = Questions()

    def lesson(step: int) -> list[Problem]:
        return [drafted(task.at(64 * step + place)) for place in range(64)]

    name = f"ranked-{VERSION}-{imitation}"
    return taught(name, LETTERS + ">", Lessons(lesson, imitation), tokens=TOKENS, width=48, layers=2, context=16)


def drafted(problem: Problem) -> Problem:
    """The problem with the writer's answer: of four drafts of letters by lot the one that he likes best."""
    drafts = [_draft(problem, number) for number in range(_DRAFTS)]
    liked = torch.stack([features(problem.input, draft) for draft in drafts]) @ torch.tensor(LIKED).double()
    return replace(problem, demonstration=drafts[int(liked.argmax())])


def _draft(problem: Problem, number: int) -> str:
    chance = hashed("drafted", number, *problem.key)
    length, chance = SHORTEST + chance % (LONGEST - SHORTEST + 1), chance // (LONGEST - SHORTEST + 1)
    return "".join(LETTERS[chance // len(LETTERS) ** place % len(LETTERS)] for place in range(length))
