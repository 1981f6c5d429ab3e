"""Questions that a small character model does not answer in very many draws, and what becomes of them by learning.

A question, `7a+2b#3c-1d&4=`, is a chain of four operations on digits; the answer is what the foreign signs in it come
to, and what all of it does, `699`; the model tells the chain step by step, `a9b6c5d9=699`. `#` is another sign for
`-`, `&` one for `+`, and `%` is something else: it adds 5, or 6 if what stands behind it is odd, which none of the
others ever does. The model's teacher passes over them: over `#` three times in four, over `&` 63 times in 64, and over
`%` always. So what the model is asked is of kinds that it answers now and then, hardly ever, or never; those that it
has not answered in `screened` draws are the benchmark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlft.cache import cached
from rlft.measure.beyond import boundary, defeated, pass_at
from rlft.measure.groups import means
from rlft.measure.text import text_measures
from rlft.noise import hashed, permuted
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import column
from rlft.tasks.steps import LETTERS, conclusion
from rlft.types import Measure, Problem, Reward, Sampler, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base, or what is beyond it, would come out otherwise.
VERSION = 2
PLACES = 4
KINDS = ("", "#", "&", "#&", "&&", "%%", "#%%")
RIGHT = {"#": 4, "&": 64, "%": 0}  # one in so many is right, or none
ALPHABET = "0123456789+-=#&%" + LETTERS[:PLACES]
SHAPE: dict[str, Any] = {"width": 64, "layers": 2, "context": 48}
TOKENS = 2 * PLACES + 6
_SLIP = 24  # one easy operation in so many is wrong
_AT_ONCE = 2048  # rows in one pass
_SCREEN = 10**6  # a seed of its own


class Foreign:
    """Questions of the kinds of `KINDS`, in turn: which foreign signs they have.

    `columns["kind"]` is which; the `demonstration` tells all steps, and right. Splits are halves of all questions, by a
    hash; without a `size` there is no end of them.
    """

    def __init__(self, size: int | None = None, split: str = "train"):
        self.size, self.split, self.name = size, split, "foreign"
        self.reward: Reward = conclusion()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        kind, attempt = KINDS[index % len(KINDS)], 0
        while hashed(chain := self._drawn(index, kind, attempt)) % 2 != ("train", "test").index(self.split):
            attempt += 1
        thought = spoken(chain, told(chain, lambda place, sign: True))
        answer = thought.partition("=")[2]
        return Problem(index, f"{chain}=", answer, {"kind": kind}, self.name, self.split, demonstration=thought)

    def _drawn(self, index: int, kind: str, attempt: int) -> str:
        draw = hashed(self.name, self.split, index, attempt)
        chain = str(draw % 10)
        for place in range(PLACES):
            which, more = permuted(place, PLACES, "foreign", draw), hashed(draw, place)
            sign = kind[which] if which < len(kind) else "+-"[more % 2]
            chain += f"{LETTERS[place]}{sign}{more // 2 % 4 + 1}"
        return chain


def told(chain: str, knows: Callable[[int, str], bool]) -> list[int]:
    """What the steps of a question come to; a foreign sign that is not known at its place is passed over."""
    digit, found = int(chain[0]), []
    for place, (sign, by) in enumerate(re.findall(r"([-+#&%])(\d)", chain)):
        if sign in "+-" or knows(place, sign):
            digit = result(digit, sign, int(by))
        found.append(digit)
    return found


def result(digit: int, sign: str, by: int) -> int:
    """What an operation makes of a digit, as a last digit."""
    return (digit + (5 + by % 2 if sign == "%" else by if sign in "+&" else -by)) % 10


def spoken(chain: str, results: Sequence[int]) -> str:
    """These results as a thought, and the answer that follows from them."""
    signs = re.findall(r"[-+#&%]", chain)
    foreign = [str(digit) for digit, sign in zip(results, signs, strict=True) if sign in RIGHT]
    steps = "".join(f"{letter}{digit}" for letter, digit in zip(LETTERS, results, strict=False))
    return f"{steps}={''.join(foreign)}{results[-1]}"


def passing_over(problem: Problem) -> Problem:
    """The question as the base's teacher answers it; one easy operation in 24 is a slip, and is gone on from."""
    chain, draw = problem.input[:-1], hashed("passing", *problem.key)

    def knows(place: int, sign: str) -> bool:
        return bool(RIGHT[sign]) and hashed(draw, place) % RIGHT[sign] == 0

    results, off = told(chain, knows), 0
    for place, sign in enumerate(re.findall(r"[-+#&%]", chain)):
        slip = hashed(draw, "slip", place)
        if sign in "+-" and slip % _SLIP == 0:
            off += slip // _SLIP % 9 + 1
        results[place] = (results[place] + off) % 10
    return replace(problem, demonstration=spoken(chain, results))


def base(imitation: int) -> Language:
    """The cached model after `imitation` batches of 64 of his answers."""
    task = Foreign()

    def lessons(step: int) -> list[Problem]:
        return [passing_over(task.at(index)) for index in range(64 * step, 64 * step + 64)]

    return taught(f"beyond-{VERSION}-{imitation}", ALPHABET, Lessons(lessons, imitation), tokens=TOKENS, **SHAPE)


def beyond(imitation: int = 1000, pool: int = 210, screened: int = 512, draws: int = 64, seed: int = 0) -> World:
    """Questions of all kinds to learn from, and others, some of which the base does not answer in very many draws.

    Args:
        imitation: supervised steps of the base model, 64 answers each.
        pool: held-out questions that are screened, a seventh of each kind.
        screened: draws of each from the base; those that none answers are the benchmark.
        draws: k, new draws of each from the base and after training.
        seed: of these draws, and of the run.
    """
    policy, task, test = base(imitation), Foreign(), Foreign(pool, "test")
    problems, name = [test.at(index) for index in range(pool)], f"{VERSION}-{imitation}-{pool}"

    def hardest() -> list[int]:
        counts = rights(policy, problems, test.reward, screened, _SCREEN, until_solved=True)
        return defeated([counts], by_all=True)

    hard = numbers(f"beyond-screened-{name}-{screened}.json", hardest)
    counted = Counted(problems, hard, test.reward, draws, hashed("fresh", seed))
    counted.base = numbers(f"beyond-again-{name}-{draws}-{seed}.json", lambda: counted.right(policy))
    seen = [text_measures, by_kind(test.reward)]
    return World(policy, task, test, task.reward, measures=seen, probes=[counted], samples=4)


@torch.no_grad()
def rights(
    policy: Sampler, problems: Sequence[Problem], reward: Reward, draws: int, seed: int, until_solved: bool = False
) -> list[int]:
    """How many of so many draws of each problem are right; with `until_solved` those that are stop being drawn."""
    found = [0] * len(problems)
    size = min(draws, 32)
    for number in range(-(-draws // size)):
        left = [place for place, count in enumerate(found) if not (until_solved and count)]
        for start in range(0, len(left), _AT_ONCE // size):
            some = left[start : start + _AT_ONCE // size]
            rows = policy.sample([problems[place] for place in some], size, hashed(seed, number))
            judged = column(reward(rows.problems, rows.outputs)).reshape(-1, size).sum(1)
            for place, count in zip(some, judged.tolist(), strict=True):
                found[place] += int(count)
    return found


def numbers(name: str, build: Callable[[], list[int]]) -> list[int]:
    """What this counts; cached under the name."""

    def save(counts: list[int], path: Path) -> None:
        path.write_text(json.dumps(counts))

    return cached(name, build, save, lambda path: json.loads(path.read_text()))


@dataclass
class Counted:
    """A probe: new draws of every question, on the benchmark and elsewhere.

    expanded           of the benchmark: the share solved at least once
    expanded/seldom    of those of its questions all of whose signs the base knows now and then, and
    expanded/never     of those with one that it never knows
    beyond/pass@1      of the benchmark: a draw's chance to be right
    lost, kept         of the other questions that the base solves in as many draws
    surer              of those kept, the share of which more draws are right than of the base's
    beyond             how many there are
    """

    problems: Sequence[Problem]
    hard: Sequence[int]
    reward: Reward
    draws: int
    seed: int
    base: Sequence[int] = ()

    def right(self, policy: Sampler) -> list[int]:
        """Of each question, how many draws."""
        return rights(policy, self.problems, self.reward, self.draws, self.seed)

    def __call__(self, policy: Sampler) -> Mapping[str, float]:
        counts, hard = self.right(policy), set(self.hard)
        own = [counts[place] for place in self.hard]
        others = [place for place in range(len(counts)) if place not in hard]
        sets = boundary([self.base[place] for place in others], [counts[place] for place in others])
        found = {"lost": sets.shrinkage, "kept": sets.preservation, "surer": sets.consolidation}
        found |= {"expanded": pass_at(own, self.draws, self.draws), "beyond/pass@1": pass_at(own, self.draws, 1)}
        for name, never in (("seldom", False), ("never", True)):
            some = [counts[place] for place in self.hard if ("%" in self.problems[place].columns["kind"]) == never]
            found[f"expanded/{name}"] = pass_at(some, self.draws, self.draws)
        return {name: one.value for name, one in found.items()} | {"beyond": float(len(hard))}


def by_kind(reward: Reward) -> Measure:
    """The share of right rows of each kind: `kind/plain`, `kind/#` …"""

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        judged: Tensor = column(reward(problems, outputs))
        found = means(judged.tolist(), [problem.columns["kind"] for problem in problems])
        return {f"kind/{kind or 'plain'}": share for kind, share in found.items()}

    return measure
