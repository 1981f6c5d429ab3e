"""A contrast with annotated chains of thought inside reinforcement learning. After Zhu et al. 2025, "CARFT", EMNLP,
arXiv:2508.15868.

Chains of three to six operations on digits, by a small character model that has imitated an annotator in a hurry, which
stands for supervised fine-tuning; annotated chains that are right exist for all questions it learns from. The arms go
on with imitation of these; with reinforcement learning from the answer, PPO as in ReFT or GRPO; and with CARFT, whose
contrast draws what the model embeds of its own chains to what it embeds of the annotated ones, and which pays wrong
answers a little for being like them. Besides them each part of it alone. A run whose held-out accuracy ends below that
of the base has collapsed; PPO and CARFT run at a rate that is too high as well, where that would be seen.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.carft import carft as contrasting
from rlft.methods.grpo import grpo
from rlft.methods.ppo import ppo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.annotated import annotated

STEPS = 40

carft = recipe(annotated, contrasting(), watch_kl=False, steps=STEPS, prompts=16, group=8, lr=5e-4, rows=None, every=10)


def over_steps(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went.

    half       held-out accuracy at its middle
    fall       the best held-out accuracy of the run less the last
    collapsed  1 if the last is below the first, the base's, by more than 0.01
    similar    mean cosine of sampled and annotated chains in the first step, and
    nearer     how much higher it is in the last
    """
    found = [line["reward"] for line in evaluations]
    alike = [line["contrast/similar"] for line in metrics if "contrast/similar" in line]
    told = {"half": found[len(found) // 2], "fall": max(found) - found[-1]}
    told["collapsed"] = float(found[-1] < found[0] - 0.01)
    return told | ({"similar": alike[0], "nearer": alike[-1] - alike[0]} if alike else {})


_PPO = ppo(beta=0.05, epochs=2)
_FAST = {"lr": 1.5e-3}
CLAIM = Claim(
    sentence="A contrast of sampled with annotated chains of thought makes reinforced fine-tuning more accurate and "
    "keeps it from collapsing; it is better than supervised fine-tuning on the annotated chains.",
    source="Zhu et al. 2025, arXiv:2508.15868",
    budget="40 steps of 16 questions with 8 answers each for every arm that draws, two passes over them; imitation "
    "takes as many steps of 128 annotated chains. Every arm chooses its learning rate from two, but the last two.",
    scaled_down="a character model of 0.1 million parameters for CodeLlama and Qwen2.5 of 7 billion; chains of "
    "operations on digits for GSM8K and SVAMP; its own last hidden states, pooled evenly, for a trained layer of 64 "
    "under the value head and pooling by value; 512 questions to learn from. Of "
    "the contrast's weights 0.1 alone. Held-out accuracy is that of 320 questions, four answers each, temperature 1.",
    real="rlft train --model SFT_MODEL --data gsm8k.jsonl --demonstration-field solution --chat --reward math "
    "\"format(pattern='.*boxed.*')\" --reward-weights 0.9 0.1 --method carft --method.weight 0.1 --method.solved 0.95 "
    "--method.weighing value --prompts 96 --group 1 --max-new-tokens 700 --steps 300 --lr 3e-7",
    metric="reward",
    table=("half", "fall", "collapsed", "tokens", "similar", "nearer", "level-3", "level-6"),
    shared=(),
    grid={"lr": (3e-4, 5e-4)},
    seeds=5,
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 4, "questions": 8},
    more=over_steps,
    curve="reward",
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "sft": Arm("SFT on annotated chains", {"method": sft(epochs=2), "prompts": 128, "group": 1}),
        "ppo": Arm("ReFT: PPO", {"method": _PPO}, seeds=14),
        "carft": Arm("CARFT", {"method": contrasting()}, seeds=14),
        "right": Arm("the contrast of right chains alone", {"method": contrasting(signal="right", partial=0.0)}),
        "wrong": Arm("the contrast of wrong chains alone", {"method": contrasting(signal="wrong", partial=0.0)}),
        "grpo": Arm("GRPO", {"method": grpo(beta=0.05, epochs=2)}),
        "grpo_carft": Arm("GRPO with the contrast", {"method": contrasting(style="grpo")}),
        "ppo_fast": Arm("PPO, too fast", {"method": _PPO, **_FAST}, grid={}, seeds=12),
        "carft_fast": Arm("CARFT, too fast", {"method": contrasting(), **_FAST}, grid={}, seeds=12),
    },
    statements=[
        above("it is more accurate than PPO", "carft", "ppo", least=0.03),
        above("and than SFT on the annotated chains", "carft", "sft", least=0.0),
        above("added to GRPO it makes that more accurate", "grpo_carft", "grpo", least=0.0),
        below("no run collapses", "carft", most=0.2, of="collapsed"),
        below("too fast, fewer collapse than with PPO", "carft_fast", "ppo_fast", most=-0.2, of="collapsed"),
        *checks(
            between("the base is in the middle", "base", least=0.4, most=0.7),
            above("sampled and annotated chains are nearer in the end", "carft", least=0.0, of="nearer"),
            above("a collapse would be seen: too fast, PPO has some", "ppo_fast", least=0.1, of="collapsed"),
            above("the contrast of right chains alone does better", "right", "carft", least=0.0),
            below("that of wrong chains alone is worse than PPO", "wrong", "ppo", most=-0.03),
            above("SFT on right chains is enough here", "sft", "ppo", least=0.0),
        ),
    ],
)
# A base that has hardly begun is never right, and wrong answers are seldom formed.
SMOKE = {"group": 8}
