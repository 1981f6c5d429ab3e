"""Deliveries in which things are wrong, four critics with blind spots who criticise them, a meta-critic
who sorts their units and likes long critiques, and revisers who show what a critique is worth.

Each critic is a rule with known chances and stands for a strong model: three are each nearly blind to another kind of
error, the fourth sees half of all and blames much that is right. The meta-critic takes nineteen true units in twenty
and three false ones in ten. As a judge of whole critiques he adds up the severities of the units that he takes, so that
one unit more never hurts: that is how he errs, by construction. Revisers do what a critique says, also where that
breaks a right piece, and revisions are scored with noise. The policy is a small character model that knew the
truth and then imitated the fourth critic; the reward model is linear in what a critique says of each
look, which is enough to know which blame is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.losses.preference import focal_ranking
from rlft.metrics.critiques import found, together
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.learned.fitting import Preference, descend
from rlft.synthesis import units as put
from rlft.synthesis.revisions import borne
from rlft.tasks.flawed import KINDS, LOOKS, PLACES, Flawed, Unit, compared, errors, read, unit_f1, written
from rlft.types import Measure, Problem, Reward, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 1
ALPHABET = "123rgbsmltqoCSF.="
SHAPE: dict[str, Any] = {"width": 64, "layers": 2, "context": 64}
TOKENS = 31  # all there is to say, with its end
# Chances of each critic to see each kind of error, and to blame a piece for what is not wrong with it.
SEES: tuple[Mapping[str, float], ...] = (
    {"C": 0.9, "S": 0.9, "F": 0.15},
    {"C": 0.15, "S": 0.85, "F": 0.85},
    {"C": 0.8, "S": 0.15, "F": 0.8},
    {"C": 0.55, "S": 0.55, "F": 0.55},
)
BLAMES = (0.05, 0.08, 0.08, 0.15)
TAKES_TRUE, TAKES_FALSE = 0.95, 0.3
FOLLOWS = (0.9, 0.8, 0.7, 0.6)  # how often each reviser mends what he is told of
BREAKS = 0.5  # how often he breaks a right piece that is blamed
SCORED = 0.3  # standard deviation of a revision's score, in shares of pieces
FLIPPED = 0.3
_SHOWN = 10**6  # where the problems of pairs begin

Shown = Literal["first", "fourth", "union", "backed", "filtered", "truth"]
Judged = Literal["judge", "lot", "truth"]


def multicritical(
    shown: Shown = "filtered",
    begun: Literal["weak", "taught"] = "taught",
    paid: Literal["model", "f1"] = "model",
    labels: Judged = "judge",
    revisions: int = 8,
    pairs: int = 2400,
    epochs: int = 8,
    imitation: int = 300,
    tuning: int = 80,
    questions: int = 400,
    critic: bool = False,
    seed: int = 0,
) -> World:
    """Deliveries to be criticised.

    Args:
        shown: what is imitated: the first critic (the best one), the fourth, the union of all four, units that two of
            them name, the union's units that the meta-critic takes, or the truth.
        begun: what is trained, the model that imitated the fourth critic, or the same after the filtered union.
        paid: by a reward model, or by F1 itself, which nobody has.
        labels: who prefers one critique to another: the meta-critic by severities, F1 with three labels in ten turned
            round by lot, or F1.
        revisions: by each of four revisers, which a preference must bear out; 0 keeps all.
        pairs: of critiques that are labelled.
        epochs: of the reward model over those kept.
        imitation: supervised steps of the base, 64 critiques of the fourth critic each.
        tuning: then so many on the filtered union, where it begins with that.
        questions: held-out ones.
    """
    policy = base(imitation, tuning if begun == "taught" else 0, critic)
    measures, reward = [criticism], unit_f1()
    if paid == "model":
        made, kept = preferences(labels, revisions, pairs, seed)
        reward = scored(reading(made, epochs))
        measures += [_believed(reward), lambda problems, outputs: kept]
    return World(
        policy,
        Criticised(shown, seed),
        Flawed(questions, "test"),
        reward,
        judged=unit_f1(),
        measures=measures,
        watched=measures[:2],
        samples=2,
    )


class Criticised:
    """The task with a critique to imitate."""

    def __init__(self, shown: Shown, seed: int = 0):
        self.shown: Shown = shown
        self.task, self.seed = Flawed(), seed
        self.name, self.split, self.size, self.reward = "criticised", "train", None, self.task.reward

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        problem = self.task.at(index)
        return replace(problem, demonstration=written(problem.input, shown_of(problem, self.shown, self.seed)))


def critique(problem: Problem, who: int, seed: int) -> frozenset[Unit]:
    """What a critic says of an answer."""
    lots, truth, said = (
        random.Random(hashed("critic", who, seed, *problem.key)),
        dict(sorted(errors(problem))),
        set[Unit](),
    )
    for place in PLACES:
        seen, blamed, other = lots.random(), lots.random(), lots.random()
        kind = truth.get(place, "")
        if kind and seen < SEES[who][kind]:
            said.add((place, kind))
        wrong = [one for one in KINDS if one != kind]
        if blamed < BLAMES[who]:
            said.add((place, wrong[int(other * len(wrong))]))
    return frozenset(said)


def takes(problem: Problem, unit: Unit, seed: int) -> bool:
    """Whether the meta-critic finds a unit good."""
    chance = TAKES_TRUE if unit in errors(problem) else TAKES_FALSE
    return random.Random(hashed("meta", seed, *problem.key, *unit)).random() < chance


def shown_of(problem: Problem, shown: Shown, seed: int) -> frozenset[Unit]:
    """The critique that is imitated."""
    if shown in ("first", "fourth"):
        return critique(problem, 0 if shown == "first" else 3, seed)
    if shown == "truth":
        return frozenset(errors(problem))
    said = [_units(critique(problem, who, seed)) for who in range(len(SEES))]
    units = put.backed(said, 2) if shown == "backed" else put.united(said)
    if shown == "filtered":
        units = put.filtered(units, [takes(problem, (one.place, one.kind), seed) for one in units])
    return frozenset((one.place, one.kind) for one in units)


def _units(critique: frozenset[Unit]) -> list[put.Unit]:
    return [put.Unit(*one) for one in sorted(critique)]


def severity(problem: Problem, critique: frozenset[Unit], seed: int) -> float:
    """What the meta-critic finds a critique worth: the units that he takes."""
    units = _units(critique)
    return put.weight(units, {one.key: takes(problem, (one.place, one.kind), seed) for one in units})


def revised(problem: Problem, critique: frozenset[Unit], revisions: int, lots: random.Random) -> list[float]:
    """Scores of so many revisions by each reviser: shares of pieces that are right, with noise."""
    truth = dict(sorted(errors(problem)))
    named = {place: {kind for at, kind in critique if at == place} for place in PLACES}
    scores = []
    for follows in FOLLOWS:
        for _ in range(revisions):
            right = 0
            for place in PLACES:
                if place in truth:
                    right += truth[place] in named[place] and lots.random() < follows
                else:
                    right += not (named[place] and lots.random() < BREAKS)
            scores.append(right / len(PLACES) + lots.gauss(0, SCORED))
    return scores


def preferences(labels: Judged, revisions: int, count: int, seed: int) -> tuple[list[Preference], dict[str, float]]:
    """Pairs of critiques of one answer, labelled and perhaps borne out; and how many are kept, and mislabelled."""
    kept, wrong, labelled_wrong, told = list[Preference](), 0, 0, 0
    for index in range(count):
        problem = Flawed().at(_SHOWN + index)
        lots = random.Random(hashed("pairs", seed, *problem.key))
        said = {critique(problem, who, seed) for who in range(len(SEES))} | {shown_of(problem, "filtered", seed)}
        both = list(combinations(sorted(said, key=sorted), 2))
        if not both:
            continue
        chosen, rejected = _labelled(problem, lots.choice(both), labels, seed, lots)
        gap = found(chosen, errors(problem)).f1 - found(rejected, errors(problem)).f1
        told, labelled_wrong = told + 1, labelled_wrong + (gap < 0)
        if revisions:
            scores = [revised(problem, one, revisions, lots) for one in (chosen, rejected)]
            if not borne(*scores).out:
                continue
        wrong += gap < 0
        asked = problem.input
        kept.append(Preference(asked, written(asked, chosen), written(asked, rejected)))
    count = max(len(kept), 1)
    return kept, {"pairs/kept": len(kept) / told, "pairs/noise": wrong / count, "pairs/before": labelled_wrong / told}


def _labelled(
    problem: Problem, pair: tuple[frozenset[Unit], frozenset[Unit]], labels: Judged, seed: int, lots: random.Random
) -> tuple[frozenset[Unit], frozenset[Unit]]:
    """The better one first, as whoever labels has it; ties by lot."""
    first, second = (
        severity(problem, one, seed) if labels == "judge" else found(one, errors(problem)).f1 for one in pair
    )
    turned = lots.random() < (FLIPPED if labels == "lot" else 0.0)
    better = lots.random() < 0.5 if first == second else first > second
    return pair if better != turned else (pair[1], pair[0])


def base(imitation: int, tuning: int, critic: bool = False) -> Language:
    """The cached model after so many batches of the fourth critic, and of the filtered union."""

    def by(shown: Shown, begin: int) -> Callable[[int], list[Problem]]:
        task = Criticised(shown, seed=_SHOWN)
        return lambda step: [task.at(64 * (begin + step) + place) for place in range(64)]

    lessons = [Lessons(by("truth", 10**6), imitation), Lessons(by("fourth", 10**5), max(imitation // 3, 1), 1e-3)]
    lessons += [Lessons(by("filtered", 2 * 10**5), tuning, 1e-3)] if tuning else []
    name = f"multicritical-{VERSION}-{imitation}-{tuning}"
    return taught(name, ALPHABET, *lessons, tokens=TOKENS, critic=critic, **SHAPE)


# All a critique can say of a look: what was ordered, what was delivered, and a letter for an error or a dot.
_SAID = [
    a + b + said for looks, kind in zip(LOOKS, KINDS, strict=True) for a in looks for b in looks for said in kind + "."
]


def counts(texts: Sequence[str]) -> Float[Tensor, "M H"]:
    """How often each of them stands in a critique."""
    return torch.tensor([[float(text.count(one)) for one in _SAID] for text in texts])


def reading(pairs: Sequence[Preference], epochs: int) -> Float[Tensor, "H"]:
    """Weights of a reward model that is linear in what is said, fitted to preferences by the focal ranking loss."""
    made = [counts([str(pair.chosen) for pair in pairs]), counts([str(pair.rejected) for pair in pairs])]
    weights = torch.nn.Linear(len(_SAID), 1, bias=False)
    torch.nn.init.zeros_(weights.weight)
    losses = (
        focal_ranking(weights(made[0][rows])[:, 0], weights(made[1][rows])[:, 0], 2.0).mean()
        for epoch in range(epochs)
        for rows in torch.arange(len(pairs)).split(32)
    )
    descend(weights, losses, epochs * -(-len(pairs) // 32), 0.03)
    return weights.weight.detach()[0]


def scored(weights: Float[Tensor, "H"]) -> Reward:
    """The reward model's number for a critique; for what is none that of blaming everything, or less."""
    worst = float(weights.clamp(max=0).sum())

    def reward(problems: Sequence[Problem], outputs: Any) -> dict[str, Tensor]:
        texts = [str(output) for output in outputs]
        told = counts(texts) @ weights
        unread = torch.tensor([read(text) is None for text in texts])
        return {"score": torch.where(unread, torch.full_like(told, worst), told)}

    return reward


def _believed(reward: Reward) -> Measure:
    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        told: Any = reward(problems, outputs)
        return {"believed": float(Tensor.nanmean(torch.as_tensor(told["score"])))}

    return measure


def criticism(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """Means over critiques.

    precision, recall   of their units, counted together
    said                units that a critique names
    accused             of them those that are false
    unread              share of rows that are no critique
    """
    pairs = list(zip(problems, map(str, outputs), strict=True))
    each = [compared(*pair) for pair in pairs]
    all_ = together(each)
    return {
        "precision": all_.precision,
        "recall": all_.recall,
        "said": all_.said / len(each),
        "accused": (all_.said - all_.right) / len(each),
        "unread": sum(read(text) is None for _, text in pairs) / len(pairs),
    }
