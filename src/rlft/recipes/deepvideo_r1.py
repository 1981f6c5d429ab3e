"""Reg-GRPO and difficulty-aware augmentation on noisy clips. After Park et al. 2025, "DeepVideo-R1", arXiv:2506.07464.

The clips are text, a stand-in until the library has video: each step of a walk is filmed in three frames, some of them
wrong, and the question is where the walk ends. The policy is a small character model that had a careless teacher; it
may write down every place on the way, and the reward sees the last alone. A few dozen clips come round again and again.
With augmentation a clip that was hard at its last plain visit gets the first places of the walk as a hint, an easy one
more noisy frames. Several updates of one batch are where the two objectives can differ; with one they have the same
direction but for the length of a row, which is the control. Held-out clips are never changed.
"""

from __future__ import annotations

from statistics import mean

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.reg_grpo import reg_grpo
from rlft.recipes import recipe
from rlft.worlds.clips import filmed

GRPO, REG = grpo(beta=0.0, epochs=4), reg_grpo(epochs=4)

deepvideo_r1 = recipe(filmed, REG, watch_kl=False, steps=60, prompts=12, group=6, lr=1e-4, rows=None)


def over_the_run(metrics: Lines, evaluations: Lines) -> Numbers:
    """Means over all steps: `flat`, the share of groups whose rewards are equal, and of groups with changed prompts."""
    keys = {"flat": "groups/flat", "hard": "augment/hard", "easy": "augment/easy"}
    return {name: mean(line.get(key, 0.0) for line in metrics) if metrics else 0.0 for name, key in keys.items()}


CLAIM = Claim(
    sentence="Fitting the group-normalised log-ratio of a row to its advantage is better than GRPO's clipped "
    "surrogate, and hints for hard problems and noise for easy ones bring back the advantages that vanish.",
    source="Park et al. 2025, arXiv:2506.07464",
    budget="60 steps of 12 clips with 6 answers each, in four updates of the whole batch, or in one for the arms "
    "called once; augmentation draws nothing more. Every arm chooses its learning rate from the same three.",
    scaled_down="text for video: digits in place of frames, a walk in place of a scene, and a character model of 0.1 "
    "million parameters in place of Qwen2-VL. The hint is the beginning of the true walk, not the best of several "
    "traces sampled with the answer in sight. A clip's difficulty is that of its last plain visit. 120 clips to train "
    "on; held-out accuracy is that of 625 others, two answers each, drawn at temperature 1.",
    real="rlft train --model Qwen/Qwen2.5-3B-Instruct --data TRAIN.jsonl --reward math --method reg_grpo "
    "--method.epochs 4 --group 8",
    metric="reward",
    table=("followed", "flat", "hard", "easy", "train/slope", "train/drift", "cost/updates"),
    grid={"lr": (5e-5, 1e-4, 2e-4)},
    more=over_the_run,
    curve="groups/flat",
    smoke={"steps": 2, "imitation": 25, "prompts": 4},
    arms={
        "grpo": Arm("GRPO", {"method": GRPO}),
        "reg": Arm("Reg-GRPO", {"method": REG}),
        "grpo-augmented": Arm("GRPO, hints and noise", {"method": GRPO, "augment": "both"}),
        "reg-augmented": Arm("DeepVideo-R1: Reg-GRPO, hints and noise", {"method": REG, "augment": "both"}),
        "reg-hints": Arm("Reg-GRPO, hints only", {"method": REG, "augment": "hard"}),
        "reg-noise": Arm("Reg-GRPO, noise only", {"method": REG, "augment": "easy"}),
        "grpo-once": Arm("GRPO, one update a batch", {"method": grpo(beta=0.0)}),
        "reg-once": Arm("Reg-GRPO, one update a batch", {"method": reg_grpo()}),
    },
    statements=[
        above("DeepVideo-R1 beats GRPO", "reg-augmented", "grpo", least=0.02),
        above("Reg-GRPO beats GRPO when a batch is used four times", "reg", "grpo", least=0.02),
        above("augmentation helps Reg-GRPO", "reg-augmented", "reg", least=0.02),
        above("augmentation helps GRPO", "grpo-augmented", "grpo", least=0.02),
        below("augmentation leaves fewer groups flat", "reg-augmented", "reg", most=-0.02, of="flat"),
        below("so it does under GRPO", "grpo-augmented", "grpo", most=-0.02, of="flat"),
        *checks(
            between("with one update a batch the objectives agree", "reg-once", "grpo-once", least=-0.03, most=0.03),
            below("hints alone leave fewer groups flat", "reg-hints", "reg", most=-0.01, of="flat"),
            above("the walk is followed, not guessed", "reg-augmented", least=0.2, of="followed"),
        ),
    ],
)
# A base that has hardly been trained seldom earns anything.
