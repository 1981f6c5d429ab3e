"""Rules alone on multiple choice, and which questions they are. After Liu et al. 2025, "Beyond Distillation: Pushing
the Limits of Medical LLM Reasoning with Minimalist Rule-Based RL", arXiv:2505.17952.

A small model that knows three facts in four of a graph answers questions of one to five hops with four options, mostly
hastily: it names where the walk begins and takes the option that the last relation leads to from there. It is paid for
the right option and nothing else. Each arm has as many questions, chosen from one pool by how many of five draws of the
base are right: all, some, none, or a third of each; or questions of two hops and more that tell the walk but for its
end (vignettes), or the same ones bare. Beside them imitation of as many chains, of a teacher who knows all facts and
slips in one hop of eight, before reinforcement or alone; and, as checks, of one who never slips, and of one who slips
and knows no more than the base. Judged is accuracy on those held-out questions of which five draws of the base were all
wrong.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.methods.sft_grpo import sft_grpo
from rlft.recipes import recipe
from rlft.worlds.curated import curated

STEPS, TAUGHT = 40, 8
ROWS = 16 * 8  # of a step
MANY = 24  # seeds of arms that differ little

alphamed = recipe(
    curated, grpo(beta=0.0), watch_kl=False, steps=STEPS, prompts=16, group=8, lr=4e-4, rows=None, every=0
)


def at_first(metrics: Lines, evaluations: Lines) -> Numbers:
    """`flat`, the share of groups whose rows all earn the same in the first five steps that have groups, and
    `transfer`, the lower of the accuracies on hard vignettes and on hard bare questions."""
    flat = [line["groups/flat"] for line in metrics if line.get("groups/flat") is not None][:5]
    last = evaluations[-1]
    lower = min(last["hard/vignette"], last["hard/bare"])
    return {"transfer": lower, **({"flat": sum(flat) / len(flat)} if flat else {})}


_IMITATED = {"method": sft(), "prompts": ROWS, "group": 1}
_FASTER = {"lr": (4e-4, 8e-4, 1.6e-3, 3.2e-3)}  # imitation bears more
CLAIM = Claim(
    sentence="Reinforcement by the rule alone, without any chain to imitate, makes a model reason and better than "
    "supervised fine-tuning on chains of as many problems; mixes of difficulty serve hard questions better than "
    "single levels do, and informative questions better than bare ones.",
    source="Liu et al. 2025, arXiv:2505.17952",
    budget="40 updates on 128 rows for every arm, of 192 questions: 16 questions with 8 answers each, or 128 chains; "
    "SFT and then GRPO has 8 and 32 of them. Every arm chooses its learning rate from three, "
    "imitation from four, up to higher ones.",
    scaled_down="a model of 0.1 million parameters for Llama 3.1 and Qwen2.5 of 7 to 70 billion; a graph of 24 "
    "entities for medicine, questions that tell all but the last hop for long ones (MedQA) and bare ones for short "
    "(MedMCQA); 192 questions for 1,200 to 19,178; three bands of the six levels. Chains are a program's for those of "
    "GPT-4o, unfiltered, whose answers are right as often as its walks are. The hard split is of questions of which "
    "five draws of the base are wrong, for MedXpertQA; half of them vignettes. hard is accuracy there, four answers "
    "each at temperature 1; transfer the lower of that on its vignettes and on its bare questions.",
    real="rlft train --model Qwen/Qwen2.5-7B-Instruct --data studies/levels/levels.jsonl --where level=L1 level=L2 "
    "level=L3 level=L4 level=L5 level=L6 --each 200 --eval-data HELD_OUT.jsonl --eval-by level --chat "
    "--reward \"choice('ABCDE')\" --method grpo --prompts 64 --group 8 --max-new-tokens 2048 --lr 1e-6 --steps 300",
    metric="hard",
    table=("middle", "easy", "hard/vignette", "hard/bare", "transfer", "walks", "true", "flat"),
    shared=(),
    grid={"lr": (2e-4, 4e-4, 8e-4)},
    seeds=8,
    smoke={
        "steps": 1,
        "imitation": 2,
        "prompts": 4,
        "group": 4,
        "questions": 10,
        "problems": 3,
        "pool": 12,
        "data": "any",
    },
    more=at_first,
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "sft": Arm("SFT on chains, some of which slip", _IMITATED, grid=_FASTER),
        "sft_same": Arm("SFT on chains of one who knows no more", {**_IMITATED, "chains": "same"}, grid=_FASTER),
        "sft_right": Arm("SFT on right chains", {**_IMITATED, "chains": "right"}, grid=_FASTER),
        "sft_grpo": Arm("SFT on chains that slip, then GRPO", {"method": sft_grpo(taught=TAUGHT, size=ROWS)}),
        "mixed": Arm("GRPO, a third of each band", seeds=MANY),
        "easy": Arm("GRPO, five of five right", {"data": "easy"}),
        "middle": Arm("GRPO, one to four", {"data": "middle"}, seeds=MANY),
        "hard": Arm("GRPO, none", {"data": "hard"}, seeds=MANY),
        "vignettes": Arm("GRPO, informative: vignettes", {"data": "vignettes"}, seeds=MANY),
        "bare": Arm("GRPO, the same bare", {"data": "bare"}, seeds=MANY),
    },
    statements=[
        above("the rule alone is better than chains of as many problems", "mixed", "sft", least=0.05),
        above("and than the base", "mixed", "base", least=0.05),
        above("a mix is better than easy ones", "mixed", "easy", least=0.02),
        above("than those in the middle", "mixed", "middle", least=0.02),
        above("than hard ones", "mixed", "hard", least=0.02),
        above("informative ones are better than bare ones", "vignettes", "bare", least=0.02),
        *checks(
            between("the base seldom solves the hard split", "base", least=0.02, most=0.2),
            above("thinking comes without chains", "mixed", "base", least=0.4, of="walks"),
            above("easy ones have nothing to compare", "easy", least=0.5, of="flat"),
            below("those in the middle have", "middle", most=0.5, of="flat"),
            above("right chains would be better than the rule", "sft_right", "mixed", least=0.05),
            above("chains first are no loss", "sft_grpo", "mixed", least=-0.05),
            above("chains of one who knows no more are worth less", "sft", "sft_same", least=0.02),
            above("and no more than the rule", "mixed", "sft_same", least=-0.05),
            above("what is learned of vignettes is worth more elsewhere", "vignettes", "bare", of="transfer"),
        ),
    ],
)
