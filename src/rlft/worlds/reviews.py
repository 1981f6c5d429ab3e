"""Reviews of two lines, where an observer who reads the pioneer's line finds good letters likely that are rare without.

A review is a question of three letters and an answer of eight, twice. It has a mood, good or bad, which the question
does not show; the second line keeps it and repeats half of the first answer. Reward is the square root of an answer's
share of good letters, and cannot see that all answers are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.measure.frontier import least_kl
from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.composed.pair import Merge, Pair
from rlft.policies.language.policy import Language
from rlft.rewards.pairs import both, own
from rlft.types import Exchanging, Policy, Problem, Reward, Rollouts
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 1
GOOD, BAD, PLAIN = "abcd", "efgh", "ijkl"
QUESTION, ANSWER = 3, 8
# The weight of a nat in `objective`, whatever the arm's own is.
PRICE = 0.03
Sight = Literal["answer", "nothing"]
Pay = Literal["both", "own"]


def reviews(
    sees: Sight = "answer",
    pays: Pay = "both",
    keeps: float = 0.9,
    imitation: int = 300,
    problems: int = 32,
    samples: int = 16,
    prior: int = 8192,
    critic: bool = False,
    needs: tuple[type, ...] = (),
    seed: int = 0,
) -> World:
    """Good letters, by one learner or by a pair.

    Args:
        sees: what the observer of a pair reads: the pioneer's answer, or the question alone.
        pays: what each of a pair earns: what both answers earn, or its own.
        keeps: probability that the second line of a review of the base's data has the mood of the first.
        imitation: supervised steps of the base model, 64 reviews each.
        problems: held-out questions.
        samples: answers to each.
        prior: the base's answers to them, in all, by which the least KL for a reward is known.
    """
    learner, test = base(keeps, imitation, critic), Reviews("test", problems)
    pair = Exchanging in needs
    if pair:
        learner = Pair(learner, base(keeps, imitation, critic), MERGES[sees])
    return World(
        learner,
        Reviews("train"),
        test,
        PAYS[pays](goodness) if pair else goodness,
        judged=goodness,
        deploy=deployed(learner),
        measures=[text_measures],
        probes=[apart(base(keeps, imitation), test, samples, prior, seed)],
        samples=samples,
        sharing=2 if pair else 1,
    )


def goodness(problems: Sequence[Problem], outputs: Sequence[str]) -> Float[Tensor, "N"]:
    """The square root of the share of good letters."""
    return torch.tensor([math.sqrt(sum(letter in GOOD for letter in answer) / ANSWER) for answer in outputs])


def second_line(problem: Problem, answer: str) -> Problem:
    """The review so far, and the question again."""
    return replace(problem, input=f"{problem.input}{answer}/{problem.input}")


def unseen(problem: Problem, answer: str) -> Problem:
    """The question alone."""
    return problem


MERGES: Mapping[Sight, Merge] = {"answer": second_line, "nothing": unseen}
PAYS: Mapping[Pay, Callable[[Reward], Reward]] = {"both": both, "own": own}


def deployed(policy: Policy) -> Policy:
    """What is used after training: one learner, the first of a pair, which answers alone."""
    return policy.members[0] if isinstance(policy, Pair) else policy


def apart(start: Language, task: Reviews, samples: int, prior: int, seed: int) -> Callable[[Any], Mapping[str, float]]:
    """How far what is deployed is from its start, in nats an answer, on held-out questions.

    kl, entropy      of its answers
    excess           how much less KL would have done for the reward it earns, if all questions are the same
    objective        reward less `PRICE` for a nat
    observer/…       a pair's observer, in its own context: reward, kl and excess, and as `saves` how much less KL than
                     that of what is deployed
    roles/…          reward, kl and excess: the mean over pioneer and observer; of one learner, its own
    """
    questions = [task.at(index) for index in range(task.size)]
    likely = start.sample(questions, prior // task.size, seed=0)
    usual = goodness(likely.problems, likely.outputs)

    def found(rows: Rollouts, answers: Sequence[str]) -> dict[str, float]:
        reward = float(goodness(rows.problems, answers).mean())
        kl = float((rows.logp_old - start.log_prob(rows)).sum(1).mean())
        return {"reward": reward, "kl": kl, "excess": kl - least_kl(torch.ones_like(usual), usual, reward)}

    @torch.no_grad()
    def probe(policy: Any) -> dict[str, float]:
        rows = deployed(policy).sample(questions, samples, seed)
        numbers = found(rows, rows.outputs) | {"entropy": float(-rows.logp_old.sum(1).mean())}
        numbers["objective"] = numbers["reward"] - PRICE * numbers["kl"]
        if not isinstance(policy, Pair):
            return numbers | {f"roles/{name}": numbers[name] for name in ("reward", "kl", "excess")}
        pairs = policy.sample(questions, samples, seed)
        pioneer, observer = (
            found(policy.own(member, pairs), [answers[turn] for answers in pairs.outputs])
            for turn, member in enumerate((policy.first, 1 - policy.first))
        )
        numbers |= {f"observer/{name}": value for name, value in observer.items()}
        numbers |= {f"roles/{name}": (pioneer[name] + observer[name]) / 2 for name in pioneer}
        numbers["observer/saves"] = numbers["kl"] - numbers["observer/kl"]
        return numbers

    return probe


def base(keeps: float, imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 reviews."""
    shown = Lessons(lambda step: [review(keeps, hashed("review", step, i)) for i in range(64)], imitation)
    shape = {"width": 48, "layers": 2, "heads": 3, "context": 32}
    name = f"cory-{VERSION}-{keeps}-{imitation}"
    return taught(name, GOOD + BAD + PLAIN + "/", shown, tokens=ANSWER, critic=critic, **shape)


def review(keeps: float, draw: int) -> Problem:
    """A question and what follows it in a review of two lines.

    Three moods in ten are good. A letter of an answer is of the mood's in 9 of 20 places, of the other mood's in 2, and
    otherwise one of the question's; in the second line half of the letters are those that stand above them.
    """
    question = asked(draw)
    good = hashed("mood", draw) % 10 < 3
    same = hashed("keeps", draw) % 1000 < 1000 * keeps
    again = good if same else hashed("mood again", draw) % 10 < 3
    first = [_letter(good, question, hashed(draw, 1, place)) for place in range(ANSWER)]
    second = [_letter(again, question, hashed(draw, 2, place)) for place in range(ANSWER)]
    if same:
        second = [
            a if hashed("repeats", draw, i) % 2 else b for i, (a, b) in enumerate(zip(first, second, strict=True))
        ]
    return Problem(0, question, f"{''.join(first)}/{question}{''.join(second)}")


def asked(draw: int) -> str:
    """A question: three letters without a mood."""
    return "".join(PLAIN[hashed("question", draw, place) % len(PLAIN)] for place in range(QUESTION))


def _letter(good: bool, question: str, draw: int) -> str:
    kind, which = draw % 20, draw // 20
    letters = (GOOD if good else BAD) if kind < 9 else (BAD if good else GOOD) if kind < 11 else question
    return letters[which % len(letters)]


class Reviews:
    """Questions of three letters; the test split has others."""

    def __init__(self, split: str = "train", size: int = 4096):
        self.name, self.split, self.size = "reviews", split, size

    def at(self, index: int) -> Problem:
        """The question with this number, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        return Problem(index, asked(hashed(self.split, index)), task=self.name, split=self.split)
