"""Correcting the first wrong step, then reinforcement learning. After Yang et al. 2026, "InT: Self-Proposed
Interventions Enable Credit Assignment in LLM Reasoning", arXiv:2601.14209.

Chains of four operations on digits, by a small character model that passes over one sign, so that it hardly ever gets
through a question with three or four of them; and these it has to learn from. It has terse references. Shown its own
attempt and a reference it proposes one step in place of the first wrong one. The arms imitate references, or such
corrections, for a fourth of their steps and are reinforced then, or stop there. Judged is accuracy on questions with
none to four of these signs, and where credit went: how likely the wrong steps of the base's own rows still are, and the
right ones in their place. Checks: steps before a correction given and not imitated; and a rule that knows in place of
the model's own corrections, an upper bound.
"""

from __future__ import annotations

import math
from statistics import mean

from rlft.collect.interventions import Prefix
from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.int_grpo import int_grpo
from rlft.methods.sft_grpo import sft_grpo
from rlft.recipes import recipe
from rlft.types import Method
from rlft.worlds.corrected import WORDING, corrected

STEPS, TAUGHT = 60, 15
FAST = 0.5  # the rate of imitation, in units of reinforcement's


def corrects(prefix: Prefix = "learned") -> Method:
    """InT as this world's base is asked, and then GRPO."""
    return int_grpo(TAUGHT, WORDING.asked, WORDING.between, WORDING.concluding, prefix, demonstration_lr=FAST)


def over_stages(metrics: Lines, evaluations: Lines) -> Numbers:
    """What is read off a run's steps.

    nll   -log p a token of what is imitated, in the first step that imitates: how far it is from what the base says
    flat  share of the groups of the first ten reinforced steps whose rows all earned the same
    read  corrections a step

    NaN where there is no such step.
    """
    taught = [line["loss/demonstrations"] for line in metrics if line.get("loss/demonstrations") is not None]
    reinforced = [line["groups/flat"] for line in metrics if "groups/flat" in line and "interventions/read" not in line]
    read = [line["interventions/kept"] for line in metrics if "interventions/kept" in line]
    found = {"nll": taught[:1], "flat": reinforced[:10], "read": read}
    return {name: mean(values) if values else math.nan for name, values in found.items()}


int = recipe(corrected, corrects(), watch_kl=False, steps=STEPS, prompts=16, group=8, lr=4e-4, rows=None, every=0)

_REFERENCES = sft_grpo(taught=TAUGHT, demonstration_lr=FAST)

CLAIM = Claim(
    sentence="A model that corrects, with a reference in front of it, the first wrong step of its own failed rows and "
    "learns these steps is a better start for reinforcement learning than one that has learned the references; credit "
    "goes to the wrong step, and questions that nobody solved are solved.",
    source="Yang et al. 2026, arXiv:2601.14209",
    budget="60 steps of 16 questions for every arm that is reinforced to the end, of which two stages have 15 for the "
    "first, and 15 for those that stop there. A step draws 8 answers to each question, also where it corrects; one "
    "that imitates references takes 16. Every arm chooses its learning rate from two.",
    scaled_down="a character model of 0.1 million parameters for Qwen3-4B; chains of operations for mathematics; a "
    "sign that it passes over fifteen times in sixteen, for what a base cannot do; a base that was taught to correct, "
    "beside answering, for one that follows instructions; references that tell those steps alone, for people's "
    "terse solutions; corrections by the model as it is at each step, not all by the base, each imitated once, and no "
    "filter by continuations. Metrics are those of 400 held-out questions with 0 to 4 such signs, four answers each, "
    "at temperature 1; hard are those with two or more, easy those with none.",
    real="rlft train --model Qwen/Qwen3-4B-Instruct-2507 --data HARD.jsonl --demonstration-field solution --chat "
    "--reward math --method int_grpo --method.taught 100 --method.tried 32 --group 8 --prompts 64 "
    "--max-new-tokens 16384 --steps 500 --lr 1e-6",
    metric="reward",
    table=("hard", "easy", "wrong_step", "right_step", "nll", "flat", "read", "mends", "spoken", "pass@4"),
    shared=(),
    grid={"lr": (2e-4, 4e-4)},
    seeds=8,
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 4, "questions": 10},
    more=over_stages,
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "rl": Arm("GRPO alone", {"method": grpo(beta=0.0)}),
        "sft": Arm("SFT on references", {"method": _REFERENCES, "steps": TAUGHT}),
        "int": Arm("InT", {"steps": TAUGHT}),
        "sft_rl": Arm("SFT on references, then GRPO", {"method": _REFERENCES}),
        "int_rl": Arm("InT, then GRPO"),
        "given": Arm("InT, what stands before a correction given, then GRPO", {"method": corrects("given")}),
        "rule": Arm("corrections by a rule that knows, then GRPO", {"corrector": "rule"}),
    },
    statements=[
        above("it is better than reinforcement learning alone", "int_rl", "rl", least=0.1),
        above("than SFT on references and then reinforcement learning", "int_rl", "sft_rl", least=0.1),
        above("it solves what nobody solved", "int_rl", "rl", least=0.1, of="hard"),
        above("corrections are nearer to what the base says", "sft", "int", least=1.0, of="nll"),
        below("the wrong step becomes less likely", "int", "base", most=-0.5, of="wrong_step"),
        above("reinforcement learning alone hardly makes it so", "rl", "int", least=0.5, of="wrong_step"),
        above("and the right one likelier", "int", "base", least=0.5, of="right_step"),
        below("fewer groups are all wrong when reinforcement begins", "int_rl", "rl", most=-0.05, of="flat"),
        above("more of what the base could do is left than by SFT on references", "int", "sft", least=0.0, of="easy"),
        *checks(
            below("the base does not solve what is hard", "base", most=0.02, of="hard"),
            above("in the end what the base could do is there", "int_rl", "base", least=-0.15, of="easy"),
            above("it learns little less from its own corrections than from right ones", "int_rl", "rule", least=-0.1),
            between("whether its own steps are imitated too matters little", "int_rl", "given", least=-0.05, most=0.05),
        ),
    ],
)
# A base that has hardly begun corrects nothing, and no reward is learned from in the first stage.
SMOKE = {"method": grpo(beta=0.0)}
