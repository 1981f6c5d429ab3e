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

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, checks
from rlft.methods.carft import carft as contrasting
from rlft.methods.grpo import grpo
from rlft.methods.ppo import ppo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.annotated import annotated

STEPS = 40

carft = recipe(annotated, contrasting(), watch_kl=False, steps=STEPS, prompts=16, group=8, lr=5e-4, rows=None, every=5)


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


_FAST = 4e-3
CLAIM = Claim(
    sentence="x", source="x", budget="x", scaled_down="x", real="x", metric="reward",
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 4, "questions": 8},
    more=over_steps,
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "sft": Arm("SFT on annotated chains", {"method": sft(), "prompts": 128, "group": 1}),
        "ppo": Arm("ReFT: PPO", {"method": ppo(beta=0.05, epochs=2)}),
        "carft": Arm("CARFT"),
        "strong": Arm("CARFT", {"method": contrasting(weight=1.0)}),
        "partial": Arm("PPO with the partial reward alone", {"method": contrasting(weight=0.0)}),
        "right": Arm("the contrast of right chains alone", {"method": contrasting(signal="right", partial=0.0)}),
        "wrong": Arm("the contrast of wrong chains alone", {"method": contrasting(signal="wrong", partial=0.0)}),
        "grpo": Arm("GRPO", {"method": grpo(beta=0.05, epochs=2)}),
        "grpo_carft": Arm("GRPO", {"method": contrasting(style="grpo")}),
        "ppo_fast": Arm("PPO", {"method": ppo(beta=0.05, epochs=2), "lr": _FAST}, grid={}),
        "carft_fast": Arm("CARFT", {"lr": _FAST}, grid={}),
    },
    statements=[above("x", "carft", "ppo", least=0.0)],
)
