"""Patients of a made-up medicine: one complaint is known, the rest of the file is told to who asks for it.

What the signs of an illness are is not in the prompt: it is known, or it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import final

import numpy as np

from rlft.noise import hashed, permuted
from rlft.rewards.text import label
from rlft.tasks.graph import entities
from rlft.types import Problem, Reward, UserError

FINDINGS = (
    "cough",
    "fever",
    "rash",
    "pallor",
    "tremor",
    "nausea",
    "thirst",
    "cramps",
    "vertigo",
    "itching",
    "fatigue",
    "wheeze",
)
SIGNS = 4
_ATTEMPTS = 3000  # draws of signs, until the illnesses that are asked for are taken not to exist
_SPLITS = ("train", "test")
# Two illnesses share so many signs at most, so that one that is missing does not make another of an illness.
_SHARED = 2
_TYPICAL = 8  # weight of a patient with all signs and no other finding; each other patient of an illness weighs 1


@final
class Illnesses:
    """So many illnesses with four signs each, of twelve findings; `seed` draws which.

    A patient has all signs of his illness, or lacks one, or has one other finding besides.
    """

    def __init__(self, count: int = 16, seed: int = 0):
        self.names, self.seed = entities(count), seed
        self.signs: dict[str, frozenset[str]] = {}
        attempt = 0
        for name in self.names:
            while True:
                places = [permuted(place, len(FINDINGS), "signs", seed, attempt) for place in range(SIGNS)]
                signs, attempt = frozenset(FINDINGS[place] for place in places), attempt + 1
                if all(len(signs & other) <= _SHARED for other in self.signs.values()):
                    break
                if attempt > _ATTEMPTS:
                    raise UserError(f"{count} illnesses cannot share at most {_SHARED} of {SIGNS} signs")
            self.signs[name] = signs

    def patients(self, illness: str) -> list[tuple[frozenset[str], int]]:
        """What the patients of an illness may have, and how often that is."""
        signs = self.signs[illness]
        lacking = [(signs - {sign}, 1) for sign in sorted(signs)]
        other = [(signs | {finding}, 1) for finding in FINDINGS if finding not in signs]
        return [(signs, _TYPICAL), *lacking, *other]

    def posterior(self, known: Mapping[str, bool]) -> dict[str, float]:
        """The chance of each illness where so much is known to be there or not: Bayes' rule, all as frequent."""
        weights = self._everyone.weights * self._everyone.agree(known)
        chances = weights.sum(1) / weights.sum()
        return {name: float(chance) for name, chance in zip(self.names, chances, strict=True) if chance}

    def informative(self, known: Mapping[str, bool]) -> str:
        """The finding that is not known whose answer leaves the least entropy over illnesses; the first of equals."""
        everyone = self._everyone
        weights = everyone.weights * everyone.agree(known)
        there = np.einsum("np,npf->fn", weights, everyone.has)
        left = _entropy(there) + _entropy(weights.sum(1) - there)
        return min((f for f in FINDINGS if f not in known), key=lambda one: round(float(left[FINDINGS.index(one)]), 9))

    @cached_property
    def _everyone(self) -> _Everyone:
        patients = [self.patients(name) for name in self.names]
        has = [[[finding in one for finding in FINDINGS] for one, _ in kinds] for kinds in patients]
        return _Everyone(np.array(has), np.array([[float(weight) for _, weight in kinds] for kinds in patients]))


@final
class _Everyone:
    """All patients of all illnesses: what they have [N P F], and how often each is [N P]."""

    def __init__(self, has: np.ndarray, weights: np.ndarray):
        self.has, self.weights = has, weights

    def agree(self, known: Mapping[str, bool]) -> np.ndarray:
        """Who has and lacks what is known, [N P]."""
        places = [FINDINGS.index(finding) for finding in known]
        return (self.has[:, :, places] == np.array(list(known.values()), dtype=bool)).all(2)


def _entropy(joint: np.ndarray) -> np.ndarray:
    """The share of each row [F N] times its entropy over N, in nats, up to a factor that all rows share."""
    total = joint.sum(1, keepdims=True)
    terms = np.where(joint > 0, joint * np.log(np.where(joint > 0, joint, 1) / np.where(total > 0, total, 1)), 0)
    return -terms.sum(1)


class Patients:
    """Patients such as ` cough :`, who complain of a finding that they have.

    `columns` are the `record`, `{"fever": "fever", "rash": "no rash", …}`, `known`, what he complains of, and
    `evidence`, the signs of his illness that he has. The `answer` is the illness, the reward `label()`. Splits are
    halves of all patients by a hash; without a `size` there is no end of them, and they come again.
    """

    def __init__(self, illnesses: Illnesses, size: int | None = None, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"patients have the splits {', '.join(_SPLITS)}; not {split!r}")
        self.illnesses, self.size, self.split = illnesses, size, split
        self.name = f"patients-{len(illnesses.names)}-{illnesses.seed}"
        self.reward: Reward = label()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        attempt = 0
        while True:
            illness, has, complaint = self._drawn(hashed(self.name, self.split, index, attempt))
            if hashed("half", illness, complaint, *sorted(has)) % 2 == _SPLITS.index(self.split):
                break
            attempt += 1
        record = {finding: finding if finding in has else f"no {finding}" for finding in FINDINGS}
        evidence = sorted(has & self.illnesses.signs[illness])
        columns = {"record": record, "known": [complaint], "evidence": evidence}
        return Problem(index, f" {complaint} :", illness, columns, self.name, self.split)

    def _drawn(self, draw: int) -> tuple[str, frozenset[str], str]:
        """An illness, what its patient has, and what he complains of."""
        illness = self.illnesses.names[draw % len(self.illnesses.names)]
        everyone = [has for has, weight in self.illnesses.patients(illness) for _ in range(weight)]
        has = everyone[hashed(draw, "patient") % len(everyone)]
        listed = sorted(has)
        return illness, has, listed[hashed(draw, "complaint") % len(listed)]
