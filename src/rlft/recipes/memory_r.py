"""An episodic memory as intrinsic reward for a small model. After Le et al. 2025, "Reasoning Under 1 Billion: Memory-
Augmented Reinforcement Learning for Large Language Models", arXiv:2504.02273.

Chains of three to six operations on digits, by a small character model that has imitated a teacher who gets three steps
in eight wrong, so that it is right one time in twenty and most groups of rows are all wrong. The arms are GRPO from the
answer and its form; the same with a memory of right answers (Memory-R), and of right and wrong ones (Memory-R+), which
compares a batch before it remembers it, or after, as published. Beside them two controls: what Memory-R+ pays, given to
rows by lot; and imitation of right steps, which says how much there was to gain. Questions do not come again, as in the
paper's one epoch, so what is nearest is another question. Judged is accuracy on held-out questions, on average over
nine evaluations, the area under the curve, and in the end. A run that ends below half of the base has collapsed; two
arms run at a rate that is too high, where that would be seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import mean
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.memory_r import memory_r as remembering
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.unsure import unsure

STEPS = 40
ROWS = 16 * 8  # of a step
ENOUGH = 0.15  # held-out accuracy, three times the base's


def remembers(**told: Any) -> Mapping[str, Any]:
    """The method as it is used here: n-grams embed, a right row earns 2, one for its form."""
    method = remembering(embedding="ngrams", warmup=5, solved=2.0, beta=0.0, **told)
    return {"method": method}


memory_r = recipe(
    unsure, remembers()["method"], watch_kl=False, steps=STEPS, prompts=16, group=8, lr=2e-4, rows=None, every=5
)


def over_steps(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went.

    area       mean held-out accuracy of its evaluations
    rows       drawn until it is 0.15 or more, in thousands; all of the run's where it never is
    fall       the best held-out accuracy less the last
    collapsed  1 if the last is less than half of the first, the base's
    apart      how much more of the memory's reward right rows earn than wrong ones, on average over the steps
    flat       share of groups whose rows all earn the same before any memory, in the first ten steps
    """
    found = [line["reward"] for line in evaluations]
    enough = (line["step"] for line in evaluations if line["reward"] >= ENOUGH)
    told = {"area": mean(found), "rows": next(enough, evaluations[-1]["step"]) * ROWS / 1000}
    told |= {"fall": max(found) - found[-1], "collapsed": float(found[-1] < found[0] / 2)}
    apart = [line["memory/apart"] for line in metrics if line.get("memory/apart") is not None]
    flat = [line["groups/flat"] for line in metrics[:10] if "groups/flat" in line]
    return told | {"apart": mean(apart) if apart else math.nan, "flat": mean(flat) if flat else math.nan}


_FAST = {"lr": 5e-4}
CLAIM = Claim(
    sentence="An episodic memory of its right and wrong answers as intrinsic reward makes a small model learn faster "
    "and become better than the reward alone does, and keeps it from collapsing.",
    source="Le et al. 2025, arXiv:2504.02273",
    budget="40 updates on 16 questions with 8 answers each for every arm, or as many right answers to imitate. Every "
    "arm chooses its learning rate from two, but the last two.",
    scaled_down="a character model of 0.1 million parameters for models of 0.5 to 1 billion; chains of operations on "
    "digits whose steps have to be right too, for GSM8K; counts of one to three characters for a sentence model, which "
    "are as frozen as that; exploring is paid after 5 steps of 40 for 50 of an epoch; groups of 8 for 16; no KL. "
    "Rewards for the answer and for its form in every arm, 1 each. Held-out accuracy is of 320 questions, four answers "
    "each, at temperature 1.",
    real="rlft train --model Qwen/Qwen2.5-0.5B-Instruct --data gsm8k.jsonl --chat --reward math "
    "\"format(pattern='.*boxed.*')\" --method memory_r --method.order write_first --method.solved 2 "
    "--sentences sentence-transformers/all-MiniLM-L6-v2 --group 16 --max-new-tokens 200 --lr 5e-6",
    metric="area",
    table=("reward", "rows", "fall", "collapsed", "apart", "flat", "tokens", "distinct", "level-3", "level-6"),
    shared=(),
    grid={"lr": (2e-4, 4e-4)},
    seeds=5,
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 4, "questions": 8},
    more=over_steps,
    curve="reward",
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "grpo": Arm("GRPO", {"method": grpo(beta=0.0)}),
        "right": Arm("a memory of right answers: Memory-R", remembers(explore=0.0)),
        "both": Arm("of right and wrong ones, compared first: Memory-R+", remembers()),
        "published": Arm("the same, remembered first, as published", remembers(order="write_first")),
        "chance": Arm("what Memory-R+ pays, by lot", remembers(given="chance")),
        "shown": Arm("imitation of right steps", {"method": sft(), "prompts": ROWS, "group": 1}),
        "grpo_fast": Arm("GRPO, too fast", {"method": grpo(beta=0.0), **_FAST}, grid={}),
        "both_fast": Arm("Memory-R+, too fast", {**remembers(), **_FAST}, grid={}),
    },
    statements=[
        above("it learns faster", "both", "grpo", least=0.02),
        above("as published too", "published", "grpo", least=0.02),
        above("and becomes better", "both", "grpo", least=0.02, of="reward"),
        below("no run collapses", "both", most=0.2, of="collapsed"),
        below("too fast, none does either", "both_fast", most=0.2, of="collapsed"),
        *checks(
            below("it is no better than the same by lot", "both", "chance", most=0.03),
            below("which costs accuracy", "chance", "grpo", most=-0.02),
            above("remembered first, it tells right rows from wrong ones", "published", least=0.2, of="apart"),
            below("compared first, it hardly does", "both", most=0.1, of="apart"),
            above("and costs less", "published", "both", least=0.0),
            between("exploring matters little", "right", "both", least=-0.05, most=0.05),
            above("there was something to gain: by imitation of right steps", "shown", "grpo", least=0.1),
            below("the reward alone does not collapse, too fast", "grpo_fast", most=0.2, of="collapsed"),
            above("the reward alone learns", "grpo", "base", least=0.05),
            above("many groups earn alike at first", "grpo", least=0.4, of="flat"),
        ),
    ],
)
# A base that has hardly begun ends no row, so all earn the same but for a memory.
SMOKE = {"group": 4}
