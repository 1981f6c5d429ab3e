"""Audio question answering: GRPO against supervised fine-tuning, and answers with and without thinking. After Li et al.
2025, "R1-AQA", arXiv:2503.11197.

A small Qwen2-Audio whose tower knows what is heard; four options a question, and 1 for the right option's text and 1
for the form. All arms learn from the same few sounds: SFT from the right answers, whole or by adapters, RL from its
own, with a prompt for the answer alone or for notes before it. Tested on other sounds with the same kinds of questions,
on kinds of questions that were not trained on, and on another timbre.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.heard import heard

r1_aqa = recipe(
    heard, grpo(beta=0.0), watch_kl=False, steps=150, prompts=16, group=8, lr=3e-4, rows=None, problems=None, samples=2
)

CLAIM = Claim(
    sentence="On audio questions with options GRPO does better than supervised fine-tuning on the same problems, full "
    "or by adapters, where adapters do better than all weights; to think before the answer does not help.",
    source="Li et al. 2025, arXiv:2503.11197",
    budget="150 updates on 16 of the same 256 problems, for RL with 8 answers each, for SFT on their right answers; "
    "every arm chooses its learning rate from the same three.",
    scaled_down="a Qwen2-Audio of 0.5 million parameters that was taught on made sounds by a teacher who mishears, for "
    "Qwen2-Audio-7B-Instruct; a second of two to four tones, chirps, clicks and noises, for AVQA and MMAU. RL has no "
    "KL. Kinds of questions and a timbre are held out of fine-tuning, not of the base's schooling. Two answers to each "
    "held-out problem at temperature 1.",
    real="rlft train --model Qwen/Qwen2-Audio-7B-Instruct --data TRAIN.jsonl --reward label format --method grpo "
    "--method.beta 0.04 --group 8",
    metric="reward",
    table=("same", "types", "timbres", "greedy"),
    shared=("updates",),
    seeds=6,
    grid={"lr": (1e-4, 3e-4, 1e-3)},
    smoke={"steps": 2, "imitation": 40, "looks": 2, "prompts": 4, "group": 8, "held_out": 9, "sounds": 8},
    arms={
        "base": Arm("before any fine-tuning", {"steps": 0}, grid={}),
        "base-think": Arm("before any, with notes", {"steps": 0, "asked": "think"}, grid={}),
        "sft": Arm("SFT of all weights", {"method": sft()}, seeds=8),
        "lora": Arm("SFT of adapters", {"method": sft(), "lora": 4}, seeds=8),
        "answer": Arm("GRPO, the answer alone", seeds=8),
        "think": Arm("GRPO, notes and then the answer", {"asked": "think"}),
    },
    statements=[
        above("GRPO does better than full SFT", "answer", "sft", least=0.03),
        above("GRPO does better than SFT of adapters", "answer", "lora", least=0.03),
        above("adapters do better than full SFT", "lora", "sft", least=0.03),
        below("thinking does not help", "think", "answer", most=0.02),
        *checks(
            above("GRPO learns", "answer", "base", least=0.05),
            above("also what was not trained on", "answer", "base", least=0.03, of="types"),
        ),
    ],
)
