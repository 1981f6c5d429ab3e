"""Thinking of each candidate in turn, and saying None. After Jiang et al. 2025, "Rex-Thinker", arXiv:2506.04034.

A small LLaVA whose tower knows coloured shapes is given numbered boxes and a phrase that fits none to three of them; it
answers with the boxes that fit, or None. Its base names and judges what is in the boxes where it is told to, not always
rightly; asked to find something it knows careless answers and casual thoughts. `plain` imitates right answers; `cot`
imitates thoughts that go through the candidates, name each and judge it, and then answer; `cot-grpo` does so for half
of its updates and is then paid 0.9 F1 of the set and 0.1 for the form; `cold` is paid from the start, asked to think as
its base does. The order of candidates is drawn anew at every visit of a problem. A check: RL without thoughts.
"""

from __future__ import annotations

from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.methods.sft_grpo import sft_grpo
from rlft.recipes import recipe
from rlft.worlds.referred import referred

STEPS = 200
TWO_STAGES = sft_grpo(taught=STEPS // 2, demonstration_lr=3.0)

rex_thinker = recipe(
    referred,
    TWO_STAGES,
    watch_kl=False,
    steps=STEPS,
    prompts=16,
    group=8,
    lr=4e-4,
    rows=None,
    problems=None,
    samples=3,
)

_IMITATING: dict[str, Any] = {"method": sft(), "lr": 1.2e-3}
_RATES = {"lr": (6e-4, 1.2e-3)}

CLAIM = Claim(
    sentence="Taught to think of each candidate before it answers a model rejects phrases that nothing fits more often "
    "than one that answers at once; GRPO on the F1 of the set finds more of what fits besides; without the teaching "
    "first it is worse.",
    source="Jiang et al. 2025, arXiv:2506.04034",
    budget="200 updates of 16 problems for every arm: right answers or thoughts to imitate, or 8 answers to each that "
    "are paid; in two stages 100 each. Every arm chooses its learning rate from two; imitation has three times the "
    "rate of reinforcement.",
    scaled_down="a LLaVA of 0.4 million parameters whose tower was taught what is in each patch, for Qwen2.5-VL 7B; "
    "pictures of 32 by 32 pixels with three to six coloured shapes in cells of 8, all of them candidates; thoughts by "
    "rule for 90 thousand of GPT-4o; 1000 pictures to learn from. No KL. Held-out numbers are those of 512 "
    "problems, three answers each at temperature 1; a box counts where it is exactly a right one.",
    real="rlft train --model Qwen/Qwen2.5-VL-7B-Instruct --data TRAIN.jsonl --answer-field solution --reward set_f1 "
    "format --reward-weights 0.9 0.1 --method sft_grpo --method.taught 500 --method.beta 0.04 --group 8 --lora 64",
    metric="density_f1",
    table=("rejection", "false_abstention", "reward", "readable"),
    shared=("updates",),
    grid={"lr": (2e-4, 4e-4)},
    smoke={"steps": 2, "imitation": 4, "looks": 4, "prompts": 4, "group": 4, "problems": 8},
    arms={
        "base": Arm("the base, asked to think", {"steps": 0}, grid={}),
        "plain": Arm("SFT on answers", {**_IMITATING, "answered": "answer"}, _RATES),
        "cot": Arm("SFT on thoughts and answers", _IMITATING, _RATES, seeds=8),
        "cot-grpo": Arm("half of that, then GRPO", seeds=8),
        "cold": Arm("GRPO without a cold start", {"method": grpo(beta=0.0)}),
        "plain-grpo": Arm("SFT on answers, then GRPO", {"answered": "answer"}),
    },
    statements=[
        above("thoughts reject better than answers at once", "cot", "plain", least=0.1, of="rejection"),
        above("and find what fits as well", "cot", "plain", least=0.0),
        above("GRPO finds more of what fits", "cot-grpo", "cot", least=0.0),
        above("and gives little of the rejecting away", "cot-grpo", "cot", least=-0.1, of="rejection"),
        below("without a cold start less is found", "cold", "cot-grpo", most=-0.1),
        *checks(
            above("without thoughts RL finds less", "cot-grpo", "plain-grpo", least=0.1),
            above("the base finds something", "base", least=0.1),
            below("little is rejected that is there", "cot-grpo", most=0.1, of="false_abstention"),
        ),
    ],
)
# A base that has hardly been trained earns nothing, and in its first stage no reward is read.
SMOKE = {"method": grpo(beta=0.0)}
