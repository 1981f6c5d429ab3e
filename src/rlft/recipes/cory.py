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

from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, above, below, checks
from rlft.methods.cory import cory as two
from rlft.methods.ppo import ppo as one
from rlft.recipes import recipe
from rlft.worlds.reviews import PRICE, reviews

cory = recipe(reviews, two(), steps=30, prompts=8, group=16, lr=3e-4, every=10)


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
    budget="3840 answers of 8 letters: one learner has all of them, each of two has 1920; 120 optimiser steps for each",
    scaled_down="60 thousand parameters for GPT-2 and Llama-2, letters for sentiment; a constant KL coefficient, where "
    "the paper's is steered. The paper matches the samples of each learner, as here the arm `independent` does",
    real="rlft train --model ONE --observer TWO --data TRAIN.jsonl --reward REWARD.py:score --method cory --lora 16",
    metric="objective",
    table=("reward", "kl", "excess", "entropy", "distinct", "roles/kl", "observer/reward", "observer/kl", "train/kl"),
    shared=("answers",),
    grid={"lr": (3e-4, 1e-3)},
    more=answers,
    curve="objective",
    smoke={"steps": 1, "imitation": 2, "problems": 4, "samples": 4, "prior": 512, "prompts": 2, "group": 4, "every": 1},
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
    statements=[
        above("CORY earns as much as PPO with as many answers in all", "cory", "ppo", least=-0.02, of="reward"),
        below("and wastes less KL on it", "cory", "ppo", most=-0.1, of="excess"),
        above(
            "it earns as much as learners with as many answers each", "cory", "independent", least=-0.02, of="reward"
        ),
        below("and wastes less KL on it than they", "cory", "independent", most=-0.1, of="excess"),
        below("with a higher coefficient too", "cory_strong", "ppo_strong", most=-0.1, of="excess"),
        below("over both roles, in their contexts, it wastes less", "cory", "ppo", most=-0.25, of="roles/excess"),
        above("without a KL, at a high rate, it earns as much", "cory_free", "ppo_free", least=-0.02, of="reward"),
        above("and keeps a nat more of its entropy", "cory_free", "ppo_free", least=1.0, of="entropy"),
        below("exchanging roles matters", "cory", "no_exchange", most=-0.05, of="excess"),
        below("seeing the pioneer matters", "cory", "no_transfer", most=-0.05, of="excess"),
        *checks(
            above(
                "what the other earns, unseen, is noise in the reward, and noise costs KL",
                "no_transfer",
                "independent",
                least=0.05,
                of="excess",
            ),
            below(
                "it keeps as much as learners apart keep: what protects is fewer answers to each",
                "cory_free",
                "independent_free",
                most=1.0,
                of="entropy",
            ),
            above("a lower rate alone does as much for PPO", "ppo_gentle", "cory_free", least=-1.0, of="entropy"),
            below("PPO without a KL collapses: half of the base's entropy is gone", "ppo_free", most=8.5, of="entropy"),
            above("an observer, in its own context, pays a nat less", "cory", least=1.0, of="observer/saves"),
            above("and earns as much there", "cory", least=0.9, of="observer/reward"),
            below("where lines are not connected it saves less", "cory_deaf", "cory", most=-1.0, of="observer/saves"),
            above(
                "where lines are not connected CORY wastes no less", "cory_deaf", "ppo_deaf", least=-0.1, of="excess"
            ),
        ),
    ],
)
