"""A budget of length that follows difficulty, and that a user may set. After Huang et al. 2025, "AdaCtrl: Towards
Adaptive and Controllable Reasoning via Difficulty-Aware Budgeting", arXiv:2505.18822.

Chains of one to six operations on digits, by a small character model that begins its answers with a tag: `E` and up to
three words, which are enough for half of the levels, or `H` and a long thought; its choice has little to do yet with
what is needed. The arms are reinforcement learning from right answers alone; from those less a penalty that grows with
the length; and AdaCtrl, which pays for the tag that a group deserves and, behind `E`, for being short and right. Judged
are accuracy and length on held-out problems at each level, whether tags agree with how often groups are right, and what
becomes of answers whose tag the user has set.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, checks
from rlft.methods.dapo import dapo
from rlft.recipes import recipe
from rlft.worlds.tagged import budgeted

adactrl = recipe(budgeted, dapo(rounds=1), watch_kl=False, steps=60, prompts=12, group=16, lr=5e-4, rows=None, every=0)

CLAIM = Claim(
    sentence="Reinforcement learning that pays for a tag of difficulty, and for being short where a problem is easy, "
    "makes answers to easy problems much shorter and leaves hard ones their length, at no cost in accuracy; and who "
    "sets the tag decides the length.",
    source="Huang et al. 2025, arXiv:2505.18822",
    budget="60 updates on 12 problems with 16 answers each for every arm, groups of equal rewards left out. Arms choose"
    " their learning rate from two.",
    scaled_down="a character model of 0.1 million parameters for Qwen2.5-7B; chains of operations on digits for "
    "mathematics, of which answers in three words reach half; the cold start is imitation of both kinds of answers. "
    "Metrics are those of 240 held-out problems, eight answers each, drawn at temperature 1; hard is accuracy at "
    "levels 4 to 6, easy that at the others, agrees the share of answers whose tag is that of their group, set-E and "
    "set-H are answers to half of these problems with a tag that was set.",
    real="rlft train --model COLD_START --data TRAIN.jsonl --chat --reward \"adactrl(unit='tokens')\" --method dapo "
    "--method.limit 20480 --method.cache 4096 --group 16 --prompts 256 --max-new-tokens 20480 --lr 1e-6",
    metric="reward",
    table=(
        "easy",
        "hard",
        "easy/tokens",
        "hard/tokens",
        "spread",
        "easy-1",
        "easy-6",
        "agrees",
        "set-longer",
        "set-E/hard",
    ),
    grid={"lr": (5e-4, 1e-3)},
    seeds=10,
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 4, "questions": 12},
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "rl": Arm("right answers alone", {"paid": "accuracy"}, seeds=24),
        "penalty": Arm("a penalty that grows with the length", {"paid": "penalty"}),
        "adactrl": Arm("AdaCtrl", {}, seeds=24),
    },
    statements=[
        below("its answers to easy problems are shorter", "adactrl", "rl", most=-2.0, of="easy/tokens"),
        above("and right as often", "adactrl", "rl", least=-0.05, of="easy"),
        above("all in all it costs little accuracy", "adactrl", "rl", least=-0.06),
        above("length follows difficulty more", "adactrl", "rl", least=0.2, of="spread"),
        above("tags agree with how often a group is right", "adactrl", "rl", least=0.3, of="agrees"),
        above("who sets the tag decides the length", "adactrl", least=2.0, of="set-longer"),
        *checks(
            above("the base can be asked for either", "base", least=10.0, of="set-longer"),
            below("a few words do not reach what is hard, for the base", "base", most=0.2, of="set-E/hard"),
            below("right answers alone give up one of the tags", "rl", most=0.3, of="easy-1"),
            below("a penalty makes answers to easy problems as short", "penalty", "rl", most=-2.0, of="easy/tokens"),
            above("and length follows difficulty with it as well", "penalty", "rl", least=0.2, of="spread"),
            below("with either tag, after AdaCtrl, lengths differ less", "adactrl", "base", most=-4.0, of="set-longer"),
        ),
    ],
)
# A base that has hardly begun is never right; it is paid for tags, or by its length.
SMOKE = {"paid": "penalty"}
