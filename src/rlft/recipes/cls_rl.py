"""Rewards of classification, with thinking and without. After Li et al. 2025, "Think or Not Think: A Study of Explicit
Thinking in Rule-Based Visual Reinforcement Fine-Tuning", arXiv:2503.16188.

One coloured shape in a noisy picture, to be named. A few pictures of each of fifteen classes are learned from; the
other fifteen classes are never shown. CLS-RL asks the model to think before it answers and pays for the answer in its
tags and for the form; No-Thinking asks for the name and pays for the name alone; SFT is given the names.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.classed import classed

GRPO = grpo(beta=0.04)

cls_rl = recipe(classed, GRPO, steps=60, prompts=15, group=8, lr=3e-4, rows=None)

CLAIM = Claim(
    sentence="From a few labelled pictures a model that is paid for the right class learns known and new classes "
    "better than one that imitates the labels, and thinking before the answer does not help: without it accuracy is as "
    "high or higher, for a fraction of the tokens.",
    source="Li et al. 2025, arXiv:2503.16188",
    budget="60 steps of 15 pictures with 8 answers each, or for SFT 60 updates on as many labels; every arm chooses "
    "its learning rate from the same two.",
    scaled_down="a LLaVA of 0.45 million parameters whose tower was taught what is in each patch, for Qwen2-VL 2B; "
    "fifteen classes of coloured shapes with about four pictures each; thinking is two words, colour and shape. "
    "Metrics are those of 600 held-out pictures, half of them of new classes, two answers each, temperature 1.",
    real="rlft train --model Qwen/Qwen2-VL-2B-Instruct --data TRAIN.jsonl --reward exact --method grpo --group 4 "
    "--method.beta 0.04",
    metric="harmonic",
    table=("known", "new", "tokens"),
    shared=(),
    grid={"lr": (1e-4, 3e-4)},
    seeds=8,
    smoke={"steps": 2, "imitation": 6, "looks": 4, "prompts": 4},
    arms={
        "sft": Arm("SFT", {"method": sft()}),
        "think": Arm("CLS-RL: think, then answer", {"mode": "think"}),
        "no-think": Arm("No-Thinking-CLS-RL", {"mode": "direct"}),
        "explain": Arm("answer, then think", {"mode": "explain"}),
        "base": Arm("the base model, asked for the name", {"steps": 0}, grid={}),
        "base-think": Arm("the base model, asked to think first", {"steps": 0, "mode": "think"}, grid={}),
    },
    statements=[
        above("CLS-RL beats SFT", "think", "sft", least=0.01),
        above("No-Thinking beats SFT", "no-think", "sft", least=0.01),
        above("on new classes too", "no-think", "sft", least=0.0, of="new"),
        above("without thinking it is better still", "no-think", "think", least=0.0),
        below("and costs fewer tokens", "no-think", "think", most=-3.0, of="tokens"),
        *checks(
            above("RL learns", "no-think", "base", least=0.1),
            above("SFT learns known classes", "sft", "base", least=0.05, of="known"),
            between("the base answers as well either way", "base", "base-think", least=-0.03, most=0.03),
            between("what is said behind the answer changes nothing", "explain", "no-think", least=-0.03, most=0.03),
        ),
    ],
)
