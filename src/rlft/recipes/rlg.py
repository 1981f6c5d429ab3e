"""Guidance by a model that reinforcement learning has tuned. After "Inference-Time Alignment Control for Diffusion
Models with Reinforcement Learning Guidance", 2025, arXiv:2508.21016.

A policy denoises with (1 - w)·base + w·tuned. The paper's theory is that this samples the optimum at KL coefficient β/w
if the tuned model is the one at β. Points in the plane, and the reward is how far to the right they are. `exact` models
are closed forms, so what differs from the optimum is the theory's: for one Gaussian nothing should, for a ring of eight
it is measured, and `rare` has its best places where the base seldom goes. `trained` models are networks: a base, and
tunes by KL-regularised policy gradient, one for each β and seed, so that guiding by w can be held against training at
β/w. What the reward cannot see: the KL of the whole denoising path to the base, and how far below the best reward at
that KL a model stays (`regret`; that frontier is known). Nothing is trained by the run itself unless it is asked to.
"""

from __future__ import annotations

from typing import Literal

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.kl_control import kl_control
from rlft.recipes import recipe
from rlft.worlds import World
from rlft.worlds.tilted import Data, tilted


def rightwards(
    models: Literal["exact", "trained"] = "trained",
    data: Data = "ring",
    weight: float = 1.0,
    beta: float = 2.0,
    denoising_steps: int = 16,
    imitation: int = 1500,
    tuning: int = 60,
    seed: int = 0,
) -> World:
    """Points in the plane that should be further to the right.

    Args:
        models: closed forms, or networks (of the ring alone).
        data: what the base draws from: one Gaussian, a ring of eight, or a ring whose right half is rare.
        weight: w, from the base (0) over the tuned model (1) onwards.
        beta: KL coefficient that the tuned model was made with, in units of reward a nat.
        denoising_steps: decisions in a row.
        imitation: steps that the trained base has learned its data in.
        tuning: steps of policy gradient that a trained tune has had, of 4 times 64 points.
        seed: of the sampling, and of the training of the tuned model.
    """
    return tilted(kl_control, models, data, weight, beta, denoising_steps, imitation, tuning, seed)


rlg = recipe(rightwards, kl_control(2.0), watch_kl=False, steps=0, prompts=4, group=64, lr=1e-3, rows=None, problems=16)


def _exact(data: Data, beta: float, weight: float) -> dict[str, object]:
    return {"models": "exact", "data": data, "beta": beta, "weight": weight}


CLAIM = Claim(
    sentence=(
        "Mixing the base's and the tuned model's predictions with a weight w turns the strength of alignment up and "
        "down after training, and w stands for training at KL coefficient β/w."
    ),
    source="RLG, 2025, arXiv:2508.21016",
    budget=(
        "Nothing is trained by an arm itself. The tunes have had the same number of policy gradient steps on as many "
        "points; guiding asks two networks where a tune of its own asks one."
    ),
    scaled_down=(
        "Points in the plane and networks of 30 000 weights instead of Stable Diffusion 3.5; the distance along an "
        "axis instead of models of preference; policy gradient with a KL penalty instead of Flow-GRPO."
    ),
    real="rlft sample --model stabilityai/stable-diffusion-3.5-medium --mix TUNED:1.6 --mix-below 0.9 --prompt PROMPT "
    "--denoising-steps 40 --guidance 4.5 -n 16 --out PICTURES",
    metric="reward",
    table=("kl", "regret", "off", "calls/network 0", "calls/network 1"),
    shared=(),
    seeds=12,
    smoke={"imitation": 2, "tuning": 1, "problems": 1, "denoising_steps": 4},
    arms={
        "base": Arm("w = 0", {"weight": 0.0}),
        "half": Arm("w = 0.5", {"weight": 0.5}),
        "tuned": Arm("w = 1: tuned at β = 2", {"weight": 1.0}),
        "guided": Arm("w = 2", {"weight": 2.0}),
        "guided_3": Arm("w = 3", {"weight": 3.0}),
        "trained": Arm("tuned at β = 1 instead of w = 2", {"beta": 1.0}),
        "trained_3": Arm("tuned at β = 2/3 instead of w = 3", {"beta": 2 / 3}),
        "gaussian_guided": Arm("one Gaussian, closed forms, w = 2", _exact("gaussian", 0.2, 2.0)),
        "gaussian_optimum": Arm("its optimum at β/2", _exact("gaussian", 0.1, 1.0)),
        "ring_guided": Arm("the ring, closed forms, w = 2", _exact("ring", 2.0, 2.0)),
        "ring_optimum": Arm("its optimum at β/2", _exact("ring", 1.0, 1.0)),
        "ring_guided_4": Arm("the ring, closed forms, w = 4", _exact("ring", 2.0, 4.0)),
        "ring_optimum_4": Arm("its optimum at β/4", _exact("ring", 0.5, 1.0)),
        "rare_guided": Arm("a ring whose right half is rare, closed forms, w = 2", _exact("rare", 1.0, 2.0)),
        "rare_optimum": Arm("its optimum at β/2", _exact("rare", 0.5, 1.0)),
    },
    statements=[
        above("above 1 it earns more than the tuned model", "guided", "tuned", least=0.1),
        above("at w = 3 still more", "guided_3", "guided", least=0.05),
        above("below 1 it earns less than the tuned model", "tuned", "half", least=0.1),
        above("and more than the base", "half", "base", least=0.1),
        between(
            "one Gaussian: w = 2 is the optimum at β/2", "gaussian_guided", "gaussian_optimum", least=-0.001, most=0.001
        ),
        between("w = 2 earns what training at β/2 does", "guided", "trained", least=-0.1, most=0.1),
        between("at the same KL", "guided", "trained", least=-0.1, most=0.1, of="kl"),
        *checks(
            below("its trade-off of reward and KL is as good", "guided", "trained", most=0.05, of="regret"),
            below("also at w = 3", "guided_3", "trained_3", most=0.05, of="regret"),
            above(
                "the ring: even closed forms miss the optimum at β/2, upwards",
                "ring_guided",
                "ring_optimum",
                least=0.05,
            ),
            above("further from it at w = 4", "ring_guided_4", "ring_optimum_4", least=0.1),
            below("where the best is rare they miss it downwards", "rare_guided", "rare_optimum", most=-0.05),
            between("the price: two networks are asked", "guided", least=15, most=17, of="calls/network 1"),
        ),
    ],
)
