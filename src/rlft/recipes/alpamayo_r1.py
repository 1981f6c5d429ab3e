"""Reasons, consistency and safety as rewards of a driver who says why. After Wang et al. 2025, "Alpamayo-R1: Bridging
Reasoning and Action Prediction for Generalizable Autonomous Driving in the Long Tail", arXiv:2511.00088.

A small model reads a scene and says a cause, an intent and sixteen control tokens. Its base has imitated drivers of
whom some overlook things and most brake late, and reasons of which three in ten are another scene's. The arms are paid
for the reason, for it and the consistency of what is done with it, and for both and the driving; by GRPO, or with the
softmax weights that the paper prints. Beside them imitation that goes on; each reward alone; and two released rewards,
one of which pays worse reasons more. The action expert, a flow that reads the model's states, is fitted to the base and
not trained by any arm; what it decodes, which the paper does not tell, is judged as the tokens are, and so is what it
would if it were fitted on to how the model drives by its tokens.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.alpamayo_r1 import alpamayo_r1 as softmax_weighted
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.driving import driving

STEPS, PROMPTS, GROUP = 40, 16, 12

alpamayo_r1 = recipe(
    driving,
    grpo(beta=0.0),
    watch_kl=False,
    steps=STEPS,
    prompts=PROMPTS,
    group=GROUP,
    lr=4e-4,
    rows=None,
    every=0,
)

_LONG = {"method": sft(), "prompts": PROMPTS * GROUP, "group": 1}
CLAIM = Claim(
    sentence="Rewarded for its reasons alone a model that reasons and drives reasons better but acts less in keeping "
    "with what it says, and drives no better; a reward for consistency mends both, and one for safety makes close "
    "encounters rarer, at no cost to the rest.",
    source="Wang et al. 2025, arXiv:2511.00088",
    budget="40 updates on 16 scenes with 12 rows each for every arm; imitation takes as many demonstrations. Arms "
    "choose their learning rate from two; those that only check something have the larger one.",
    scaled_down="a decoder of 0.1 million parameters for one of 10 billion, scenes in words for cameras, eight pairs "
    "of controls of half a second for 64 of a tenth; an exact grader for a large reasoning model, which can "
    "neither be mistaken nor be fooled; a flow of three layers that reads the mean and the last of the states for one "
    "that reads the cache. Distances are to a rule's driving, on 256 held-out scenes, four rows each at temperature 1. "
    "Signs are compared, not sizes.",
    real="rlft train --model Qwen/Qwen2.5-VL-3B-Instruct --data scenes.jsonl --chat --reward "
    "\"judge(url='http://127.0.0.1:8000/v1', model='GRADER', prompt='rubric.txt', most=5.0)\" "
    '"agreement(seconds=0.1, accel=0.5, curvature=0.01)" "trajectory(seconds=0.1, accel=0.5, curvature=0.01)" '
    "--method dapo --method.rounds 1 --group 12 --temperature 0.6 --top-p 0.98 --max-new-tokens 1024 --lr 2e-6",
    metric="reward",
    table=(
        "ade",
        "reasoning",
        "consistency",
        "close",
        "right",
        "comfort",
        "expert/ade",
        "expert/agrees",
        "expert/close",
        "refitted/ade",
        "refitted/agrees",
        "refitted/close",
    ),
    shared=(),
    grid={"lr": (2e-4, 4e-4)},
    seeds=6,
    smoke={"steps": 1, "imitation": 2, "fitted": 4, "prompts": 2, "group": 4, "questions": 2},
    arms={
        "sft": Arm("the base, which has imitated", {"steps": 0}, grid={}, seeds=10),
        "longer": Arm("imitation that goes on", _LONG),
        "reason": Arm("GRPO, for the reason", {"paid": "reason"}, seeds=10),
        "consistent": Arm("for the reason and consistency", {"paid": "consistent"}),
        "safe": Arm("for the reason, consistency and driving", {"paid": "safe"}),
        "softmax": Arm("the same, softmax-weighted", {"method": softmax_weighted(temper=4.0)}),
        "faster": Arm("for the reason, at the larger rate", {"paid": "reason"}, grid={}),
        "agreement": Arm("for consistency alone", {"paid": "agreement"}, grid={}),
        "driving": Arm("for driving alone", {"paid": "driving"}, grid={}),
        "slipped": Arm("the released reward whose reason has the wrong sign", {"recipe": "reasoning"}, grid={}),
        "mended": Arm("the released reward that mends it", {"recipe": "collision"}, grid={}),
    },
    statements=[
        above("for its reasons alone it reasons better", "reason", "sft", least=0.05, of="reasoning"),
        below("but acts less in keeping with them", "reason", "sft", most=0.0, of="consistency"),
        above("and drives no better", "reason", "sft", least=0.0, of="ade"),
        above("with consistency paid it does as it says", "consistent", "sft", least=0.1, of="consistency"),
        below("and drives better", "consistent", "sft", most=-0.1, of="ade"),
        above("while it reasons as well", "consistent", "reason", least=-0.05, of="reasoning"),
        below("with safety paid close encounters are rarer", "safe", "consistent", most=0.0, of="close"),
        above("while it does as it says", "safe", "consistent", least=-0.05, of="consistency"),
        above("reasons as well", "safe", "consistent", least=-0.05, of="reasoning"),
        below("and drives as well", "safe", "consistent", most=0.1, of="ade"),
        *checks(
            between("the base is as consistent as the paper's", "sft", least=0.45, most=0.8, of="consistency"),
            between("and is often right", "sft", least=0.6, most=0.9, of="reasoning"),
            below("imitation that goes on does not help", "longer", "sft", most=0.2),
            above("softmax weights learn too", "softmax", "sft", least=0.2),
            between("and as much as GRPO", "softmax", "safe", least=-0.15, most=0.15),
            above("at the larger rate controls that nothing pays decay", "faster", "sft", least=0.1, of="ade"),
            above("consistency alone mends reasons too", "agreement", "sft", least=0.05, of="reasoning"),
            below("driving alone costs consistency", "driving", "safe", most=-0.1, of="consistency"),
            below("the wrong sign costs reasons", "slipped", "mended", most=-0.05, of="reasoning"),
            above("the action expert, left alone, drives no better than before", "safe", "sft", of="expert/ade"),
            below("fitted on to the model's own tokens it does", "safe", "sft", most=-0.5, of="refitted/ade"),
        ),
    ],
)
