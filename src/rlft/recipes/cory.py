"""Pioneer and observer against one learner: reward, KL and collapse. Ma et al. 2024, "CORY", arXiv:2410.06101.

A small model has read reviews of two lines, each a question of three letters and an answer of eight. A review has a
mood, good or bad, which the question does not show; the second line keeps it and repeats half of the first answer. So
an observer, who reads the pioneer's line before it writes the second, finds letters likely that are rare without it.
Reward is the square root of an answer's share of good letters, and cannot see that all answers are the same.

All arms draw as many answers in all; the two learners of a pair share them, and each takes as many steps as the one. So
samples are matched in all against PPO, and learner by learner, as in the paper, against two independent learners.
Judged is what is deployed, a learner alone as a pioneer, on held-out questions: its reward, its KL beyond the least
with which that reward can be had (known: the reward takes nine values), its entropy. `roles/…` is the mean over both
roles in their own contexts, as the paper's training curves count. Ablations: no exchange of roles; an observer that
does not see the pioneer. Control: a base whose lines have nothing to do with each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.evidence.claim import Arm, Claim, Lines, Statement
from rlft.measure.frontier import least_kl
from rlft.measure.text import text_measures
from rlft.methods.cory import cory as two
from rlft.methods.ppo import ppo as one
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.composed.pair import Merge, Pair
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.pairs import both, own
from rlft.runs.drive import Run
from rlft.training.trainer import Trainer
from rlft.types import Exchanging, Method, Policy, Problem, Reward, Rollouts, Runtime

# Raised when the base would come out otherwise.
VERSION = 1
GOOD, BAD, PLAIN = "abcd", "efgh", "ijkl"
QUESTION, ANSWER = 3, 8
# The weight of a nat in `objective`, whatever the arm's own is.
PRICE = 0.03
Sight = Literal["answer", "nothing"]
Pay = Literal["both", "own"]


def cory(
    method: Method = two(),
    sees: Sight = "answer",
    pays: Pay = "both",
    keeps: float = 0.9,
    steps: int = 30,
    prompts: int = 8,
    group: int = 16,
    lr: float = 3e-4,
    every: int = 10,
    imitation: int = 300,
    problems: int = 32,
    samples: int = 16,
    prior: int = 8192,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Good letters, by one learner or by a pair.

    Args:
        sees: what the observer of a pair reads: the pioneer's answer, or the question alone.
        pays: what each of a pair earns: what both answers earn, or its own.
        keeps: probability that the second line of a review of the base's data has the mood of the first.
        steps: steps in all.
        prompts: questions in a step.
        group: answers to each, by all learners together: a pair answers half as often, twice.
        lr: learning rate.
        every: steps between evaluations.
        imitation: supervised steps of the base model, 64 reviews each.
        problems: held-out questions.
        samples: answers to each.
        prior: the base's answers to them, in all, by which the least KL for a reward is known.
        seed: of everything random but the base.
    """
    learner = base(keeps, imitation, critic=method.critic)
    pair = Exchanging in method.needs
    if pair:
        learner = Pair(learner, base(keeps, imitation, critic=method.critic), MERGES[sees])
    trainer = Trainer(
        learner,
        method,
        Reviews("train"),
        PAYS[pays](goodness) if pair else goodness,
        prompts=prompts,
        group=group // 2 if pair else group,
        lr=lr,
        seed=seed,
        watch_kl=True,
        runtime=runtime,
    )
    held_out = Reviews("test", problems)
    return Run(
        trainer,
        steps,
        held_out,
        reward=goodness,
        samples=samples,
        deploy=deployed(learner),
        measures=[text_measures],
        probes=[apart(base(keeps, imitation), held_out, samples, prior, seed)],
        every=every,
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

    def build() -> Language:
        tokenizer = character_tokenizer(GOOD + BAD + PLAIN + "/")
        model = small_llama(len(tokenizer), width=48, layers=2, heads=3, context=32)
        policy = Language(model, tokenizer, max_new_tokens=ANSWER)
        imitate(policy, lambda step: [review(keeps, hashed("review", step, i)) for i in range(64)], imitation)
        return policy

    return cached_language(f"cory-{VERSION}-{keeps}-{imitation}", build, max_new_tokens=ANSWER, critic=critic)


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


def answers(metrics: Lines, evaluations: Lines) -> dict[str, float]:
    """Answers drawn: those of all learners, and those that each of them learns from. A row of a pair holds two."""
    rows = sum(line["rows/drawn"] for line in metrics)
    pairs = any("reward/observer" in line for line in metrics)
    return {"cost/answers": float(2 * rows if pairs else rows), "cost/answers/learner": float(rows)}


_DEAF: dict[str, Any] = {"keeps": 0.0}
_HIGH: dict[str, Any] = {"lr": 1e-3}
_APART: dict[str, Any] = {"sees": "nothing", "pays": "own"}
CLAIM = Claim(
    sentence="Two learners, one of which sees the other's answer, with a common reward and exchanged roles, earn what "
    "PPO earns at a lower KL, nearer to the frontier of the two, and do not collapse where PPO does.",
    source="Ma et al. 2024, arXiv:2410.06101",
    arms={
        "base": Arm("the base model, untrained", {"steps": 0}, grid={}),
        "ppo": Arm("one learner, coefficient 0.03", {"method": one(beta=PRICE)}),
        "independent": Arm("two learners apart, coefficient 0.03", {"method": two(beta=PRICE, every=0), **_APART}),
        "cory": Arm("CORY, coefficient 0.03", {"method": two(beta=PRICE)}),
        "no_exchange": Arm("CORY without exchange of roles", {"method": two(beta=PRICE, every=0)}),
        "no_transfer": Arm(
            "CORY, its observer sees the question alone", {"method": two(beta=PRICE), "sees": "nothing"}
        ),
        "ppo_strong": Arm("one learner, coefficient 0.1", {"method": one(beta=0.1)}, grid={}),
        "cory_strong": Arm("CORY, coefficient 0.1", {"method": two(beta=0.1)}, grid={}),
        "ppo_free": Arm("one learner, no KL, a high rate", {"method": one(beta=0.0), **_HIGH}, grid={}),
        "independent_free": Arm(
            "two learners apart, no KL, a high rate", {"method": two(beta=0.0, every=0), **_APART, **_HIGH}, grid={}
        ),
        "cory_free": Arm("CORY, no KL, a high rate", {"method": two(beta=0.0), **_HIGH}, grid={}),
        "ppo_gentle": Arm("one learner, no KL, a lower rate", {"method": one(beta=0.0), "lr": 3e-4}, grid={}),
        "ppo_deaf": Arm("one learner, lines without connection", {"method": one(beta=PRICE), **_DEAF}, grid={}),
        "cory_deaf": Arm("CORY, lines without connection", {"method": two(beta=PRICE), **_DEAF}, grid={}),
    },
    metric="objective",
    statements=[
        Statement("CORY earns as much as PPO with as many answers in all", "reward", "cory", "ppo", least=-0.02),
        Statement("and wastes less KL on it", "excess", "cory", "ppo", most=-0.1),
        Statement(
            "it earns as much as learners with as many answers each", "reward", "cory", "independent", least=-0.02
        ),
        Statement("and wastes less KL on it than they", "excess", "cory", "independent", most=-0.1),
        Statement("with a higher coefficient too", "excess", "cory_strong", "ppo_strong", most=-0.1),
        Statement("over both roles, in their contexts, it wastes less", "roles/excess", "cory", "ppo", most=-0.25),
        Statement("without a KL, at a high rate, it earns as much", "reward", "cory_free", "ppo_free", least=-0.02),
        Statement("and keeps a nat more of its entropy", "entropy", "cory_free", "ppo_free", least=1.0),
        Statement("exchanging roles matters", "excess", "cory", "no_exchange", most=-0.05),
        Statement("seeing the pioneer matters", "excess", "cory", "no_transfer", most=-0.05),
        Statement(
            "what the other earns, unseen, is noise in the reward, and noise costs KL",
            "excess",
            "no_transfer",
            "independent",
            least=0.05,
            claimed=False,
        ),
        Statement(
            "it keeps as much as learners apart keep: what protects is fewer answers to each",
            "entropy",
            "cory_free",
            "independent_free",
            most=1.0,
            claimed=False,
        ),
        Statement(
            "a lower rate alone does as much for PPO", "entropy", "ppo_gentle", "cory_free", least=-1.0, claimed=False
        ),
        Statement(
            "PPO without a KL collapses: half of the base's entropy is gone",
            "entropy",
            "ppo_free",
            most=8.5,
            claimed=False,
        ),
        Statement(
            "an observer, in its own context, pays a nat less", "observer/saves", "cory", least=1.0, claimed=False
        ),
        Statement("and earns as much there", "observer/reward", "cory", least=0.9, claimed=False),
        Statement(
            "where lines are not connected it saves less",
            "observer/saves",
            "cory_deaf",
            "cory",
            most=-1.0,
            claimed=False,
        ),
        Statement(
            "where lines are not connected CORY wastes no less",
            "excess",
            "cory_deaf",
            "ppo_deaf",
            least=-0.1,
            claimed=False,
        ),
    ],
    budget="3840 answers of 8 letters: one learner has all of them, each of two has 1920; 120 optimiser steps for each",
    scaled_down="60 thousand parameters for GPT-2 and Llama-2, letters for sentiment; a constant KL coefficient, where "
    "the paper's is steered. The paper matches the samples of each learner, as here the arm `independent` does",
    real="rlft train --model ONE --observer TWO --data TRAIN.jsonl --reward REWARD.py:score --method cory --lora 16",
    table=("reward", "kl", "excess", "entropy", "distinct", "roles/kl", "observer/reward", "observer/kl", "train/kl"),
    shared=("answers",),
    grid={"lr": (3e-4, 1e-3)},
    smoke={"steps": 1, "imitation": 2, "problems": 4, "samples": 4, "prior": 512, "prompts": 2, "group": 4, "every": 1},
    more=answers,
    curve="objective",
)
