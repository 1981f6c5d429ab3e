"""Eleven methods of GRPO's family at one budget on two worlds, tuned alike.

Sums of seven to ten numbers told with their running totals, and chains of five and six operations on digits told step
by step, by small character models: answers of different lengths, about half of them right, the reward for the end
alone. Every step's rows are learned from in four minibatches, so that bounds on ratios matter. Each method has its
paper's settings, but where these are of a batch's size; GRPO has no KL here, as none of the others has. DAPO draws no
further rows in place of flat groups, so that all have the same.
"""

from __future__ import annotations

from statistics import mean
from typing import Literal

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, Statement, above, between, checks
from rlft.methods.ce_gppo import ce_gppo
from rlft.methods.cispo import cispo
from rlft.methods.clip_cov import clip_cov
from rlft.methods.dapo import dapo
from rlft.methods.dr_grpo import dr_grpo
from rlft.methods.gmpo import gmpo
from rlft.methods.grpo import grpo
from rlft.methods.gspo import gspo
from rlft.methods.kl_cov import kl_cov
from rlft.methods.lite_ppo import lite_ppo
from rlft.methods.reinforce_pp import reinforce_pp
from rlft.recipes import recipe
from rlft.types import Method
from rlft.worlds import World
from rlft.worlds.steps import stepwise
from rlft.worlds.worked_sums import totals

Task = Literal["sums", "chains"]
PASSES = 4


def family(task: Task = "sums", imitation: int = 300, questions: int = 360) -> World:
    """One of two worlds.

    Args:
        task: sums of seven to ten numbers, or chains of five or six operations.
        imitation: supervised steps of the sums' base model; that of chains has three times as many.
        questions: held-out ones of the chains.
    """
    if task == "sums":
        return totals("hard", imitation)
    return stepwise(levels=(5, 6), imitation=3 * imitation, questions=questions)


def over_steps(metrics: Lines, evaluations: Lines) -> Numbers:
    """The entropy of the last tenth of the steps, and the share of decisions that a bound held over all."""
    last = metrics[-max(1, len(metrics) // 10) :]
    entropies = [line["entropy"] for line in last if line.get("entropy") is not None]
    held = [line["clipped"] for line in metrics if line.get("clipped") is not None]
    return {"late": mean(entropies) if entropies else 0.0, "held": mean(held) if held else 0.0}


# Name: the method, and what it is called. Shares of decisions are of some 150 in a minibatch, not of 300,000.
METHODS: dict[str, tuple[str, Method]] = {
    "grpo": ("GRPO, without a KL", grpo(beta=0.0, minibatches=PASSES)),
    "dr_grpo": ("Dr. GRPO", dr_grpo(length=14, minibatches=PASSES)),
    "dapo": ("DAPO, without further rows", dapo(rounds=1, minibatches=PASSES)),
    "gspo": ("GSPO", gspo(minibatches=PASSES)),
    "gmpo": ("GMPO", gmpo(minibatches=PASSES)),
    "cispo": ("CISPO", cispo(minibatches=PASSES)),
    "ce_gppo": ("CE-GPPO", ce_gppo(minibatches=PASSES)),
    "clip_cov": ("Clip-Cov", clip_cov(share=0.02, minibatches=PASSES)),
    "kl_cov": ("KL-Cov", kl_cov(share=0.02, minibatches=PASSES)),
    "lite_ppo": ("Lite PPO", lite_ppo(minibatches=PASSES)),
    "reinforce_pp": ("REINFORCE++, without a KL", reinforce_pp(beta=0.0, minibatches=PASSES)),
}
grpo_family = recipe(
    family, METHODS["grpo"][1], watch_kl=False, steps=16, prompts=8, group=8, lr=2e-4, rows=None, every=10
)


def _arms(task: Task) -> dict[str, Arm]:
    return {
        f"{task}-{name}": Arm(f"{task}, {called}", {"task": task, "method": method})
        for name, (called, method) in METHODS.items()
    }


def _alike(task: Task) -> list[Statement]:
    first, *others = METHODS
    return [
        between(f"{task}: {METHODS[name][0]}", f"{task}-{name}", f"{task}-{first}", least=-0.05, most=0.05)
        for name in others
    ]


CLAIM = Claim(
    sentence="At one budget and tuned alike, ten later methods of GRPO's family end within 0.05 of where GRPO does.",
    source="a question of our own: each method's paper reports a gain",
    budget="16 updates of 8 problems with 8 answers each, in four minibatches. Every arm chooses its learning rate "
    "from three.",
    scaled_down="character models of 0.1 million parameters that imitated careless teachers; answers of up to 14 and "
    "32 tokens. Held-out accuracy at temperature 1, of 625 sums with two answers each, and of 360 chains of one to six "
    "operations with four.",
    real="rlft train --model Qwen/Qwen3-8B-Base --data TRAIN.jsonl --reward math --method gspo --method.minibatches 4 "
    "--group 8 --prompts 128 --max-new-tokens 8192 --lr 1e-6",
    metric="reward",
    table=("pass@2", "truncated", "late", "held", "train/groups/flat"),
    grid={"lr": (1e-4, 2e-4, 4e-4)},
    seeds=8,
    more=over_steps,
    curve="reward",
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 4, "questions": 6},
    arms={
        "sums-base": Arm("sums, untrained", {"steps": 0}, grid={}),
        "chains-base": Arm("chains, untrained", {"task": "chains", "steps": 0}, grid={}),
        **_arms("sums"),
        **_arms("chains"),
    },
    statements=[
        *_alike("sums"),
        *_alike("chains"),
        *checks(
            above("there is something to learn, sums", "sums-grpo", "sums-base", least=0.1),
            above("there is something to learn, chains", "chains-grpo", "chains-base", least=0.1),
        ),
    ],
)
