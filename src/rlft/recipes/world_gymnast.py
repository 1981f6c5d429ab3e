"""Reinforcement learning inside a learned model of the world, paid by a judge. After "World-Gymnast", 2026,
arXiv:2602.02454.

A hand lets a stone go at a line, and where it stops hangs on a friction that nobody sees. A policy that imitated forty
shaky throws goes on by GRPO with clip-higher and without groups that all earn the same: in a simulator whose friction
is off by a tenth, a fifth or two fifths, in a model that networks learned from forty of its own episodes in the world,
in one that was learned from fewer or from more, in one that is fitted again on the way, and in the world itself. What
pays is the majority of five votes of a judge that looks at the last thing that is seen and errs. Judged is the share of
held-out starts whose stone stops at the goal in the world, thrown without noise.
"""

from __future__ import annotations

from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.dapo import dapo
from rlft.recipes import recipe
from rlft.worlds.gymnast import gymnast

STEPS = 60
HALF = STEPS // 2

world_gymnast = recipe(
    gymnast,
    dapo(rounds=1),
    watch_kl=False,
    steps=STEPS,
    prompts=32,
    group=8,
    lr=3e-4,
    rows=None,
    problems=512,
    every=20,
)


def in_the_end(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went, without noise.

    gap          success where the policy learned less success in the world
    gap/grown    that less the same at its first evaluation after an update
    overpaid     what the judge's votes pay where it learned, less success there
    false/grown  failures in the world that the judge takes for successes, as a share of them, less that before
    """
    first, last = evaluations[0], evaluations[-1]
    gaps = [line["inside"] - line["success"] for line in evaluations[1:]] or [0.0]
    return {
        "gap": gaps[-1],
        "gap/grown": gaps[-1] - gaps[0],
        "overpaid": last["paid"] - last["inside"],
        "false/grown": last["false"] - first["false"],
    }


def _arm(text: str, where: str, **more: Any) -> Arm:
    return Arm(text, {"where": where, **more})


CLAIM = Claim(
    sentence="A policy that was fine-tuned by reinforcement learning in a learned model of the world, paid by a judge, "
    "succeeds in the world far more often than by imitation alone, and more often than one that was fine-tuned in a "
    "simulator that is off; data of the better policy, with which the model is fitted again, makes it better still.",
    source="arXiv:2602.02454",
    budget="60 updates on 32 starts with 8 episodes each for every arm that learns; the model has 40 episodes of the "
    "base, or 20, or 500, or 20 and then 20 of the policy half-way. Every arm chooses its learning rate from two.",
    scaled_down="a stone that slides for a robot at a table, six numbers for pictures, five networks of two layers for "
    "a video diffusion model, a network on the last observation for GPT-4o, chunks of four actions, tanh-Gaussian "
    "means and deviations for OpenVLA's tokens. The model's means are taken, without noise. As published are groups "
    "of 8, the clip, no KL, five votes, and that groups which all earn the same are left out; ours leaves out no "
    "others.",
    real="rlft run dapo --env module:MyRobot-v0 --data DATA --imagined 5 --fits 20000 --horizon 200 --prompts 32 "
    "--group 8 --method.rounds 1 --steps 300 --lr 1e-4",
    metric="success",
    table=("inside", "gap", "gap/grown", "overpaid", "false", "false/grown", "distance"),
    shared=(),
    grid={"lr": (3e-4, 6e-4)},
    seeds=10,
    smoke={
        "steps": 1,
        "imitation": 2,
        "fits": 2,
        "before": 1,
        "labels": 20,
        "prompts": 2,
        "group": 4,
        "problems": 4,
        "shown": 2,
    },
    more=in_the_end,
    curve="success",
    arms={
        "sft": Arm("the base, which imitated", {"where": "truth", "steps": 0}, grid={}),
        "far": _arm("in a simulator whose friction is off by two fifths", "far"),
        "simulator": _arm("in a simulator whose friction is off by a fifth", "simulator"),
        "near": _arm("in a simulator whose friction is off by a tenth", "near"),
        "few": _arm("in a model of 20 episodes", "model", logged=20),
        "model": _arm("in a model of 40 episodes", "model"),
        "refitted": _arm("of 20, and of 20 more half-way", "refitted", logged=20, before=HALF, steps=HALF),
        "large": _arm("in a model of 500 episodes", "model", logged=500),
        "truth": _arm("in the world", "truth"),
    },
    statements=[
        above("in the model better than imitation", "model", "sft", least=0.3),
        above("and than in a simulator that is off by a fifth", "model", "simulator", least=0.1),
        above("a simulator that is off by a tenth is better than imitation", "near", "sft", least=0.1),
        above("fitted again half-way better than in the first model", "refitted", "few", least=0.1),
        *checks(
            between("the base is neither at floor nor at ceiling", "sft", least=0.1, most=0.5),
            above("the world itself teaches as well", "truth", "model", least=-0.05),
            above("a model that saw more is as good as the world", "large", "truth", least=-0.05),
            above("a model of 40 episodes is as good as a simulator off by a tenth", "model", "near", least=-0.1),
            above("who is off by less is better", "near", "simulator", least=0.1),
            below("a simulator that is off by two fifths teaches what is wrong", "far", "sft", most=0.0),
            above(
                "as many episodes of the policy half-way are worth no less than the base's", "refitted", "model", -0.02
            ),
            above("a model of few episodes flatters", "few", least=0.1, of="gap"),
            below("less where it was fitted again", "refitted", "few", most=-0.1, of="gap"),
            above("the judge is fooled more often than before", "model", least=0.0, of="false/grown"),
        ),
    ],
)
