"""Reinforcement learning of a small reasoning model with a small budget. After Dang and Ngo 2025, "Reinforcement
Learning for Reasoning in Small LLMs: What Works and What Doesn't", arXiv:2503.16219.

Chains of one to six operations on digits, by a small character model that had a long-winded teacher: it tells steps
again, which makes it right more often, and has room for 32 tokens. So most thoughts on hard problems, those of five and
six operations, are cut off. The arms are the paper's three experiments: hard problems alone, easy ones among them, and
those with the cosine of the length in the reward. Besides them the cosine as it was published, of characters and
without a bound; and hard problems alone at twice the learning rate, which is too high. Judged is accuracy on held-out
problems of all levels, and how it went there.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import mean

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, checks
from rlft.methods.grpo import grpo
from rlft.recipes import recipe
from rlft.worlds.steps import stepwise

open_rs = recipe(stepwise, grpo(beta=0.0), watch_kl=False, steps=40, prompts=24, group=6, lr=5e-4, rows=None, every=5)


def over_steps(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went.

    half     held-out accuracy at its middle
    fall     the best held-out accuracy of the run less the last
    wanders  the largest fall from one evaluation to the next
    cut      the share of training rows that the limit ended
    """
    found = [line["reward"] for line in evaluations]
    return {
        "half": found[len(found) // 2],
        "fall": max(found) - found[-1],
        "wanders": max([0.0, *(one - other for one, other in pairwise(found))]),
        "cut": mean(line["measure/truncated"] for line in metrics) if metrics else 0.0,
    }


_HARD = {"levels": (5, 6)}
CLAIM = Claim(
    sentence="With a small budget reinforcement learning makes a small reasoning model much better; easy problems "
    "among the hard ones help, with hard ones alone it falls again, and a reward with the cosine of the length keeps "
    "its thoughts short.",
    source="Dang and Ngo 2025, arXiv:2503.16219",
    budget="40 updates on 24 problems with 6 thoughts each for every arm. Arms choose their learning rate from two; "
    "the last has twice the larger one.",
    scaled_down="a character model of 0.1 million parameters that imitated a long-winded teacher, for a distilled "
    "model of 1.5 billion; chains of operations on digits for mathematics; room for 32 tokens for 3584. No reward for "
    "the form, which is kept by all that is not cut off; a cosine of tokens, bounded, but in the arm that has it as it "
    "was published, where four characters count as a token. Held-out accuracy is of 360 problems, four answers each, "
    "drawn at temperature 1; fall is its best at nine evaluations less its last.",
    real="rlft train --model deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B --data TRAIN.jsonl --chat "
    "--reward \"cosine(limit=3584, unit='tokens')\" format --reward-weights 2 1 --method grpo --method.beta 0 "
    "--prompts 24 --group 6 --max-new-tokens 3584 --temperature 0.7 --lr 1e-6 --steps 100",
    metric="reward",
    table=("half", "fall", "tokens", "truncated", "cut", "again", "level-1", "level-4", "level-6", "tokens-1"),
    grid={"lr": (3e-4, 5e-4)},
    seeds=8,
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "questions": 12},
    more=over_steps,
    curve="reward",
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "hard": Arm("hard problems alone", _HARD),
        "mixed": Arm("easy and hard problems", {}),
        "cosine": Arm("easy and hard problems, the cosine of the length", {"paid": "cosine"}),
        "published": Arm("the cosine as it was published", {"paid": "published"}),
        "hard_fast": Arm("hard problems alone, at twice the rate", {**_HARD, "lr": 1e-3}, grid={}),
    },
    statements=[
        above("a small budget makes it much better", "mixed", "base", least=0.3),
        above("easy problems among hard ones are better than hard ones alone", "mixed", "hard", least=0.02),
        above("with hard problems alone it falls again", "hard", least=0.03, of="fall"),
        below("the cosine makes thoughts shorter", "cosine", "mixed", most=-1.0, of="tokens"),
        above("and costs no accuracy", "cosine", "mixed", least=-0.02),
        below("fewer thoughts are cut off on the way", "cosine", "mixed", most=0.0, of="cut"),
        *checks(
            below("the base seldom concludes hard problems", "base", most=0.3, of="level-6"),
            above("hard problems alone are cut off more", "hard", "mixed", least=0.0, of="cut"),
            above("a fall would be seen: at twice the rate there is one", "hard_fast", "hard", least=0.0, of="fall"),
            above("which costs accuracy", "hard", "hard_fast", least=0.0),
            above("without a bound even an easy thought is drawn out", "published", "cosine", least=3.0, of="tokens-1"),
        ),
    ],
)
# A base that has hardly begun is never right, and paid by its length.
SMOKE = {"paid": "cosine", "group": 6}
