"""Demonstrations of what no rollout solves, inside reinforcement learning. Ma et al. 2025, "Learning What Reinforcement
Learning Can't: Interleaved Online Fine-Tuning for Hardest Questions", arXiv:2506.07527.

Chains of small sums, of four kinds. The base had a teacher who slips, so it solves much of what it has learned now and
then; and who takes the sign `#` for `+`, which it is not, so that no row of the base solves a question with it: there
is nothing for a reward to choose from. Worked answers exist for all 512 questions. The arms: reinforcement learning
alone; imitation of all answers, and of about as many as ReLIFT demonstrates; either and then reinforcement learning;
ReLIFT; and ReLIFT with demonstrations of any question in place of the hardest.

Judged is accuracy on questions that no arm has seen, also apart for those that the base solves in more than 3/4 of 16
tries (`easy`), in more than 1/4, in some, and in none (`hardest`), and pass@8, which is what the model can reach. The
control has sums alone, of which the base solves nearly all now and then: little is left to demonstrate.
"""

from __future__ import annotations

from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.relift import relift as interleaved
from rlft.methods.sft import sft
from rlft.methods.sft_grpo import sft_grpo
from rlft.recipes import recipe
from rlft.worlds.chains import chained

STEPS, PROMPTS = 128, 32
# Demonstrations of the arms that are to have as many as ReLIFT: somewhat more than it took in pilots; eight a step.
MATCHED = 1152
FEW = MATCHED // 8

relift = recipe(chained, interleaved(size=8), steps=STEPS, prompts=PROMPTS, group=8, lr=4e-4, rows=None, every=0)

_KNOWN: dict[str, Any] = {"kinds": ("+",)}
_ONE = {"lr": (2e-4, 4e-4, 8e-4, 1.6e-3)}
_SHOWN = "cost/rows/demonstrated"

CLAIM = Claim(
    sentence="Reinforcement learning interleaved with fine-tuning on demonstrations of the questions that no rollout "
    "solves is better than either alone, with a fraction of the demonstrations, and goes beyond what the base can do.",
    source="Ma et al. 2025, arXiv:2506.07527",
    budget="128 steps of 32 questions with 8 answers each for every arm that draws; imitation of all answers takes as "
    "many steps of as many demonstrations, the arms with few take 144 of 8, as ReLIFT has 8 at a time. Every arm "
    "chooses from four settings: one of four learning rates, or where there are two, one of four pairs.",
    scaled_down="a character model of 0.1 million parameters for Qwen2.5-Math-7B, chains of digits for mathematics, a "
    "sign with a wrong meaning for what a base lacks, answers in the base's own manner for the traces of a stronger "
    "model. GRPO with the group's deviation and the clip, no entropy bonus. Held-out accuracy is that of 256 "
    "questions, eight answers each, drawn at temperature 1.",
    real="rlft train --model Qwen/Qwen2.5-Math-7B --data TRAIN.jsonl --demonstration-field solution --reward math "
    "--method relift --prompts 128 --group 8 --lr 1e-6",
    metric="reward",
    table=("pass@8", "easy", "medium", "hard", "hardest", "hardest/any", "cost/rows/demonstrated", "cost/updates"),
    shared=(),
    grid={"lr": (2e-4, 4e-4), "method.demonstration_lr": (1.0, 3.0)},
    smoke={"steps": 2, "imitation": 25, "prompts": 4, "problems": 8},
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "rl": Arm("reinforcement learning alone: GRPO", {"method": grpo(beta=0.0)}, _ONE),
        "sft": Arm("imitation of all answers, eight times over", {"method": sft(), "group": 1}, _ONE),
        "sft_few": Arm("imitation of 1152", {"method": sft(), "group": 1, "prompts": 8, "steps": FEW}, _ONE),
        "sft_rl": Arm("imitation of 1152, then GRPO", {"method": sft_grpo(taught=FEW, size=8), "steps": FEW + STEPS}),
        "relift": Arm("ReLIFT", {"method": interleaved(size=8)}),
        "any": Arm("ReLIFT, but of any question, nine a step", {"method": interleaved(size=9, solved=2.0)}),
        "sft_all_rl": Arm(
            "imitation of all answers, then GRPO", {"method": sft_grpo(taught=STEPS), "steps": 2 * STEPS}
        ),
        "rl_known": Arm("sums alone, GRPO", {"method": grpo(beta=0.0), **_KNOWN}, _ONE),
        "relift_known": Arm("sums alone, ReLIFT", {"method": interleaved(size=8), **_KNOWN}),
    },
    statements=[
        above("it is right more often than reinforcement learning", "relift", "rl", least=0.05),
        above("than imitation of all answers", "relift", "sft", least=0.02),
        below("with at most three tenths of the demonstrations", "relift", most=0.3 * STEPS * PROMPTS, of=_SHOWN),
        above("than imitation of as many", "relift", "sft_few", least=0.05),
        above("than imitation of as many and then reinforcement learning", "relift", "sft_rl", least=0.02),
        above("it solves questions of which the base solves none", "relift", "rl", least=0.15, of="hardest"),
        above("it reaches what the base does not", "relift", "base", least=0.1, of="pass@8"),
        below("reinforcement learning does not", "rl", "base", most=0.02, of="pass@8"),
        above("at what the base can do it is better than imitation", "rl", "sft", least=0.02, of="medium"),
        above("imitation is better at what the base cannot do", "sft", "rl", least=0.1, of="hardest"),
        *checks(
            below("the base solves next to none of the hardest", "base", most=0.03, of="hardest"),
            below("it demonstrates no more than the arms that are to have as many", "relift", most=MATCHED, of=_SHOWN),
            above("it reaches further than imitation and then RL", "relift", "sft_rl", least=0.05, of="pass@8"),
            above("it matters that the hardest are demonstrated", "relift", "any", least=0.02),
            above("more demonstrations, before RL, are better still", "sft_all_rl", "relift", least=0.02),
            between("where little is unsolved it is RL", "relift_known", "rl_known", least=-0.03, most=0.03),
            below("and demonstrates little", "relift_known", most=0.1 * STEPS * PROMPTS, of=_SHOWN),
        ),
    ],
)
# A base that has hardly been trained earns nothing.
