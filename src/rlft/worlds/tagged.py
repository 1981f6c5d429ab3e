"""Problems of six levels with a budget that is said first: `E` and a few words, or `H` and a long thought.

Behind `E` the base says what at most three operations come to and then answers, be there more or not: a guess, where
there are more. Behind `H` it thinks as in `worlds.steps`, letter by letter, and tells steps again. The base has seen
both at every level, `E` more often at easy ones, and is careless in both. Who sets the tag himself, in front of the
answer, asks for one or the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.rewards.adapt import combine
from rlft.rewards.length import adactrl, overlong
from rlft.tasks.steps import Steps, operations, result
from rlft.types import Measure, Problem, Reward, Text
from rlft.worlds import World
from rlft.worlds.steps import LEVELS, base, by_level, long_winded

EASY, HARD = "E", "H"
# Of a hundred answers that the base was shown at each level, so many are short.
_SHORT = {1: 70, 2: 60, 3: 50, 4: 50, 5: 40, 6: 30}
_SLIP, _WORDS = 8, 3  # one result in so many is a slip behind `E`; and so many are said there at most
_FORCED = 10**5  # a seed of its own for what is asked with a tag that is set
Paid = Literal["accuracy", "penalty", "adactrl"]


def budgeted(
    paid: Paid = "adactrl", penalty: float = 0.5, tokens: int = 40, imitation: int = 800, questions: int = 240
) -> World:
    """Problems answered in a few words or step by step, as a tag says.

    Args:
        paid: for right answers alike; for those less a penalty that grows with the length; or as AdaCtrl has it.
        penalty: what a row of all tokens loses, of the second.
        tokens: room for a tag, a thought and its answer.
        imitation: supervised steps of the base model, 64 answers of a long-winded teacher each.
        questions: held-out ones, a sixth of each level.
    """
    task, test = Steps(LEVELS), Steps(LEVELS, size=questions, split="test")
    right = task.reward
    rewards: dict[Paid, Callable[[], Reward]] = {
        "accuracy": lambda: right,
        "penalty": lambda: combine(
            {"right": right, "length": overlong(limit=tokens, cache=tokens)}, {"length": penalty}
        ),
        "adactrl": lambda: adactrl(unit="tokens", easy=EASY, hard=HARD, correct=right),
    }
    seen = [text_measures, by_level(right), by_tag(right)]
    probe = forced([test.at(index) for index in range(min(questions, 120))], right)
    policy = base(tagged, imitation, tokens, extra=EASY + HARD)
    return World(policy, task, test, rewards[paid](), judged=right, measures=seen, probes=[probe], samples=8)


def tagged(problem: Problem) -> Problem:
    """The problem with a tag and what the tag says as what is imitated."""
    draw = hashed("tag", problem.task, problem.index, problem.visit)
    if draw % 100 >= _SHORT[problem.columns["level"]]:
        return replace(problem, demonstration=HARD + str(long_winded(problem).demonstration))
    at, kinds = operations(problem.input)
    results: list[int] = []
    for place, kind in enumerate(kinds[:_WORDS]):
        slip = hashed(draw, place)
        at = (result(at, kind) + (slip // _SLIP % 9 + 1 if slip % _SLIP == 0 else 0)) % 10
        results.append(at)
    said = at if len(kinds) <= _WORDS else hashed(draw, "guess") % 10
    return replace(problem, demonstration=EASY + "".join(map(str, results)) + f"={said}")


def by_tag(right: Reward, at_least: float = 0.625) -> Measure:
    """Which tags are said, and where a few words reach, `easy`, and where they do not, `hard`.

    easy-1 …     share of rows at each level that begin with the easy tag
    agrees       share of the rows whose tag is that of their group: easy if more than `at_least` of it are right
    easy, hard   share of right rows;   easy/tokens, hard/tokens   their tokens
    spread       the second over the first
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        judged = right(problems, outputs)
        groups: dict[int, list[int]] = {}
        for row, problem in enumerate(problems):
            groups.setdefault(problem.index, []).append(row)
        found: dict[str, list[float]] = {}
        for rows in groups.values():
            label = EASY if float(judged[rows].mean()) > at_least else HARD
            level = problems[rows[0]].columns["level"]
            reach = "easy" if level <= _WORDS else "hard"
            for row in rows:
                found.setdefault(f"easy-{level}", []).append(outputs[row].startswith(EASY))
                found.setdefault("agrees", []).append(outputs[row].startswith(label))
                found.setdefault(reach, []).append(float(judged[row]))
                found.setdefault(f"{reach}/tokens", []).append(len(outputs[row].tokens))
        told = {name: sum(all_of) / len(all_of) for name, all_of in found.items()}
        if {"easy/tokens", "hard/tokens"} <= set(told):
            told["spread"] = told["hard/tokens"] / told["easy/tokens"]
        return told

    return measure


def forced(problems: Sequence[Problem], right: Reward) -> Callable[[Any], Mapping[str, float]]:
    """What a policy does with a tag that the user has set in front of its answer, E or H.

    set-E, set-H              share of right rows;   set-E/tokens, set-H/tokens  their tokens
    set-E/hard, set-H/hard    share of right rows at the levels above three
    set-longer                tokens with H less those with E
    """
    hard = [row for row, problem in enumerate(problems) if problem.columns["level"] > _WORDS]

    def probe(policy: Any) -> dict[str, float]:
        found: dict[str, float] = {}
        for tag in (EASY, HARD):
            rows = policy.sample([replace(problem, input=problem.input + tag) for problem in problems], 1, _FORCED)
            scores = torch.as_tensor(right(rows.problems, rows.outputs), dtype=torch.float64)
            found |= {f"set-{tag}": float(scores.mean()), f"set-{tag}/hard": float(scores[hard].mean())}
            found[f"set-{tag}/tokens"] = sum(len(output.tokens) for output in rows.outputs) / len(rows.outputs)
        return found | {"set-longer": found[f"set-{HARD}/tokens"] - found[f"set-{EASY}/tokens"]}

    return probe
