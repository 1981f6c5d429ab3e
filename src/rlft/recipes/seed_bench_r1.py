"""Reinforcement learning beside imitation, tested further and further from what was trained. After Chen et al. 2025,
"Exploring the Effect of Reinforcement Learning on Video Understanding: Insights from SEED-Bench-R1", arXiv:2503.24376.

Films in which the acts of a plan are done, one after another: what is next? Both ways of learning have the same films
of one environment and four plans (L1), and are held to films of the same sort, of other environments (L2), and of other
environments and plans (L3). SFT is shown a teacher's thoughts and answers; GRPO is paid for the answer alone. The
orders of all plans, and all environments, are what the base has seen before.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.filming import filming

seed_bench_r1 = recipe(filming, grpo(beta=0.1), steps=120, prompts=16, group=8, lr=3e-4, rows=None)

CLAIM = Claim(
    sentence="Reinforcement learning with a reward for the answer alone is better than SFT on films like those that "
    "were trained on, and by as much or more on films of other environments and other tasks.",
    source="Chen et al. 2025, arXiv:2503.24376",
    budget="120 updates for every arm on 16 films, of the same 600: a thought and an answer shown of each, or 8 drawn; "
    "SFT and GRPO choose their learning rates from the same three by their accuracy on L1.",
    scaled_down="a LLaVA of 0.35 million parameters whose tower was taught what is done in a frame, for Qwen2-VL 7B; "
    "films of 32 frames of 16 by 16 pixels, eight of them shown, a token each; any of four acts may be the answer, "
    "which is said by its name. The teacher who is imitated overlooks three in ten acts and answers rightly "
    "all the same. Metrics are those of 400 held-out films of each level, an answer each at temperature 1; gap is the "
    "accuracy on L1 less that on L3.",
    real="rlft train --model Qwen/Qwen2-VL-7B-Instruct --chat --data TRAIN.jsonl --frames 16 --reward choice "
    "--method grpo --method.beta 0.1 --lr 1e-6",
    metric="L1",
    table=("L2", "L3", "gap", "seen", "consistent"),
    shared=(),
    grid={"lr": (1e-4, 3e-4, 6e-4)},
    seeds=6,
    smoke={"steps": 2, "imitation": 4, "looks": 1, "prompts": 4, "group": 4, "films": 8, "held_out": 2},
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "sft": Arm("SFT on a teacher's thoughts and answers", {"method": sft()}),
        "grpo": Arm("GRPO, paid for the answer", {}),
        "all": Arm("GRPO on films of all levels", {"level": "all"}, grid={}),
    },
    statements=[
        above("GRPO is better than SFT on films like those trained on", "grpo", "sft", least=0.0),
        above("in other environments", "grpo", "sft", least=0.0, of="L2"),
        above("in other environments and tasks", "grpo", "sft", least=0.0, of="L3"),
        below("it loses no more than SFT from the first to the last", "grpo", "sft", most=0.0, of="gap"),
        *checks(
            between("the base can be bettered", "base", least=0.35, most=0.65),
            above("GRPO learns", "grpo", "base", least=0.05),
            above("SFT learns", "sft", "base", least=0.03),
            above("the last level could be learned", "all", "base", least=0.1, of="L3"),
            below("what it thinks is less coherent with its answers", "grpo", "sft", most=-0.02, of="consistent"),
        ),
    ],
)
