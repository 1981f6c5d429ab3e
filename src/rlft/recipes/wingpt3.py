"""Stages of a medical model: general reasoning, medicine, and reinforcement that asks for its evidence. After WiNGPT
Team 2025, "WiNGPT-3.0 Technical Report", arXiv:2505.17387.

A small model that calculates step by step is tuned on examinations by residents, in which it says what it suspects and
asks for one finding after another, and then reinforced on patients: for the illness alone, or for it and the evidence
that it cites, by a rule that knows what was found and what the patient has, or by a classifier that was fitted to
verdicts on residents. One such classifier reads the whole conversation, the other only how it ends: what it can be had
for is evidence that nobody found. Merged is 0.3 of the weights before and 0.7 of those after.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, between, checks
from rlft.evidence.statistics import quarters
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.diagnosed import diagnosed

STEPS = 60

wingpt3 = recipe(
    diagnosed, grpo(beta=0.0), watch_kl=False, steps=STEPS, prompts=32, group=8, lr=5e-4, rows=None, every=0
)


def in_the_end(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went.

    lost         accuracy in calculations before less that after
    regained     that of the merged model less that after
    merged/gap   right illnesses of the merged model less those of the reinforced one
    overrated    what the evidence of training conversations is paid less the share that is sound, in the last quarter,
    overrated/grown   less that in the first
    """
    first, last = evaluations[0], evaluations[-1]
    told = {
        "lost": first["general"] - last["general"],
        "regained": last["merged/general"] - last["general"],
        "merged/gap": last["merged"] - last["right"],
    }
    paid = [line["reward/evidence"] - line["measure/sound"] for line in metrics if "reward/evidence" in line]
    if paid:
        early, late = quarters(paid)
        told |= {"overrated": late, "overrated/grown": late - early}
    return told


_IMITATED = {"method": sft(), "prompts": 256, "group": 1}
CLAIM = Claim(
    sentence="A model that learned to reason, and then medicine, diagnoses better after reinforcement on a few "
    "thousand patients with auxiliary rewards for the evidence of its diagnoses, and from evidence that it found; "
    "merging it with the model before gives back what that cost in general reasoning.",
    source="WiNGPT Team 2025, arXiv:2505.17387",
    budget="60 updates on 32 patients with 8 examinations each for every arm that draws; imitation takes as many of "
    "256 examinations. Every arm chooses its learning rate from two.",
    scaled_down="a model of 0.1 million parameters for Qwen2.5-32B; chains of last digits for general reasoning; "
    "twelve made-up illnesses with four of twelve findings each, patients of whom three in five lack a sign or have "
    "another finding, one complaint and three questions for clinical cases; examinations by residents, who ask "
    "anything, for medical instruction data. Neither the report's reward formula nor its algorithm is published: here "
    "GRPO without a KL, 1 for the illness and as much for its evidence, the f1 of what is cited against what was found "
    "and the patient has, or the probability of sound evidence by a classifier of 0.1 million parameters that was "
    "fitted to 4,000 conversations of residents. right is held-out accuracy at temperature 1, general that in "
    "calculations, merged 0.3 of the weights before reinforcement and 0.7 of those after it.",
    real="rlft train --model S2_MODEL --data patients.jsonl --chat --record record --turns 5 --reward label evidence "
    "\"classifier('SOUND_MODEL', label='sound', reads='conversation')\" --method grpo --prompts 32 --group 8 "
    "--max-new-tokens 2048 --lr 1e-6 --steps 300",
    metric="right",
    table=("f1", "precision", "recall", "unseen", "sound", "questions", "overrated", "general", "merged", "regained"),
    shared=(),
    grid={"lr": (3e-4, 5e-4)},
    seeds=6,
    smoke={"steps": 1, "imitation": 2, "tuning": 2, "judged": 40, "prompts": 4, "group": 4, "questions": 4},
    more=in_the_end,
    arms={
        "s1": Arm("the general model", {"steps": 0, "stage": "general"}, grid={}),
        "s2": Arm("and residents' examinations", {"steps": 0}, grid={}),
        "more": Arm("and more of them", _IMITATED),
        "specialists": Arm("and specialists' examinations", {**_IMITATED, "shown": "specialists"}),
        "outcome": Arm("GRPO, the illness", {"paid": "outcome"}),
        "rule": Arm("GRPO, the illness and its evidence by rule", {"paid": "rule"}),
        "classifier": Arm("by a classifier of conversations", {"paid": "classifier"}),
        "last": Arm("by a classifier of the last turn", {"paid": "last-turn"}),
    },
    statements=[
        above("medicine is learned in the second stage", "s2", "s1", least=0.2),
        above("reinforcement with evidence by rule diagnoses better", "rule", "s2", least=0.05),
        above("with evidence by a reward model too", "classifier", "s2", least=0.05),
        above("imitation of as much more does not do as well", "rule", "more", least=0.05),
        above("what is cited was found and counts", "rule", "s2", least=0.1, of="f1"),
        above("more than where the illness alone is paid", "rule", "outcome", least=0.05, of="f1"),
        above("merging gives general reasoning back", "rule", least=0.01, of="regained"),
        above("and costs no diagnoses", "rule", least=-0.05, of="merged/gap"),
        *checks(
            between("the base is neither at floor nor at ceiling", "s2", least=0.3, most=0.6),
            above("imitation of those who know does better", "specialists", "rule", least=0.0),
            above("to pay evidence costs no diagnoses", "rule", "outcome", least=-0.05),
            above("reinforcement costs general reasoning", "rule", least=0.02, of="lost"),
            above(
                "a reward model of the last turn is had for evidence that is none",
                "classifier",
                "last",
                0.2,
                "precision",
            ),
            above("and overrates it more and more", "last", least=0.1, of="overrated/grown"),
        ),
    ],
)
