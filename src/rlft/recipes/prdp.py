"""Reward differences predicted instead of rewards climbed. Deng et al. 2024, arXiv:2402.08714.

`plane`: four blobs, and a reward for coming near a mark. The optimum of the KL-regularised objective is the sampler's
own distribution reweighted by exp(r/beta), so a large reweighted sample of the base is the target. The distance to it
is total variation on a grid, and `exact` draws from the target show how small that comes out; `excess` is
KL(policy || optimum) over whole denoising paths. `few` and `many`: the digits of `recipes.loop`, whose reward has a
constant of the prompt's own. A prompt is a digit in some wording, which the model does not hear: with `few` there are
ten and they come back, so that DDPO can remember what each has earned; with `many` no prompt comes twice.

Controls: `exact`; the clip off; policy gradient on the same objective (`kl-control`), whose first update on a batch is
PRDP's; LOOP, which centres by prompt but has no reference; and `many` without the constants.
"""

from __future__ import annotations

from typing import Any, Literal

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.ddpo import ddpo
from rlft.methods.kl_control import kl_control
from rlft.methods.loop import loop
from rlft.methods.prdp import prdp as reward_difference_prediction
from rlft.recipes import recipe
from rlft.types import Method
from rlft.worlds import World
from rlft.worlds.plane import plane
from rlft.worlds.worded import worded


def prompted(
    setting: Literal["plane", "few", "many"] = "many",
    spread: float = 2.0,
    beta: float = 1.0,
    measured: Literal["policy", "target"] = "policy",
    pretraining: int = 1500,
    critic: bool = False,
) -> World:
    """Points near a mark, or digits that were asked for, by a diffusion model.

    Args:
        setting: the plane; ten prompts that come back; prompts of which none comes twice.
        spread: standard deviation over prompts of the constant in the reward of digits.
        beta: temperature of the target in the plane; the method has its own.
        measured: in the plane, the policy, or for comparison draws from its target.
        pretraining: iterations of the base model's training.
    """
    if setting == "plane":
        return plane(beta, measured, pretraining, critic)
    return worded(setting, spread, pretraining, critic)


def _prdp(clip: float = 0.5, beta: float = 0.005) -> Method:
    return reward_difference_prediction(beta=beta, clip=clip, epochs=2, minibatches=4)


prdp = recipe(prompted, _prdp(beta=0.1), steps=8, prompts=64, group=4, lr=1e-3, problems=1024, samples=1)

_PLANE_ARM = {"setting": "plane", "prompts": 32, "group": 8, "problems": 32, "samples": 256}
_PLANE_GRID = {"lr": (3e-5, 3e-4, 1e-3)}
_DDPO = ddpo(clip=0.5, epochs=2, minibatches=4)
_TV = "total_variation"


def _in_plane(text: str, method: Method, **arguments: Any) -> Arm:
    return Arm(text, {**_PLANE_ARM, "method": method, "steps": 32, **arguments}, grid=_PLANE_GRID)


CLAIM = Claim(
    sentence="A diffusion model that predicts differences of rewards by differences of log-ratios has the optimum of "
    "the KL-regularised objective as its own; with proximal updates it matches DDPO on few prompts, and stays stable "
    "on many, where DDPO fails.",
    source="Deng et al. 2024, arXiv:2402.08714",
    budget="8192 points of 20 denoising steps in the plane, 2048 digits of 10 elsewhere",
    scaled_down="A 0.5 M-parameter denoiser of 8x8 digits for Stable Diffusion 1.4, thousands of prompts for 100 "
    "thousand, ten for 45; prompts differ in a constant of the reward, and not in what they ask for.",
    real="rlft train --model CompVis/stable-diffusion-v1-4 --data PROMPTS.jsonl --reward SCORE.py:score --method prdp "
    "--event mean --group 2 --prompts 64 --denoising-steps 50 --guidance 5 --lr 1e-5 --steps 1000",
    metric="score",
    table=("total_variation", "excess", "judge/accuracy", "frechet", "train/kl", "reward"),
    shared=(),
    grid={"lr": (3e-4, 1e-3, 3e-3)},
    smoke={"steps": 1, "pretraining": 20, "prompts": 8, "problems": 32, "samples": 1},
    arms={
        "plane-base": Arm("the base of the plane, untrained", {**_PLANE_ARM, "steps": 0}, grid={}),
        "plane-exact": Arm("draws from the optimum", {**_PLANE_ARM, "steps": 0, "measured": "target"}, grid={}),
        "plane-prdp": _in_plane("PRDP", _prdp(beta=1.0)),
        "plane-prdp-open": _in_plane("PRDP without its clip", _prdp(beta=1.0, clip=1e3)),
        "plane-ddpo": _in_plane("DDPO, which knows no reference", _DDPO),
        "plane-kl-control": _in_plane(
            "policy gradient on the same objective, as many updates", kl_control(beta=1.0), prompts=4, steps=256
        ),
        "base": Arm("the base of the digits, untrained", {"steps": 0}, grid={}),
        "few-prdp": Arm("PRDP, ten prompts", {"method": _prdp(), "setting": "few"}),
        "few-ddpo": Arm("DDPO, ten prompts", {"method": _DDPO, "setting": "few"}),
        "prdp": Arm("PRDP, no prompt twice", {"method": _prdp()}),
        "prdp-open": Arm("PRDP without its clip, no prompt twice", {"method": _prdp(clip=1e3)}),
        "ddpo": Arm("DDPO, no prompt twice", {"method": _DDPO}),
        "loop": Arm("LOOP, no prompt twice", {"method": loop(clip=0.5, epochs=2, minibatches=4)}),
        "even-ddpo": Arm("DDPO, no prompt twice, no constants", {"method": _DDPO, "spread": 0.0}),
    },
    statements=[
        below("PRDP ends near the optimum", "plane-prdp", "plane-exact", most=0.08, of=_TV),
        above("DDPO does not", "plane-ddpo", "plane-prdp", least=0.2, of=_TV),
        above("On few prompts PRDP matches DDPO", "few-prdp", "few-ddpo", least=-0.08, of="judge/accuracy"),
        above("On many it beats DDPO", "prdp", "ddpo", least=0.1, of="judge/accuracy"),
        above("The clip keeps it from drifting", "prdp-open", "prdp", of="train/kl"),
        *checks(
            below("Nats from the optimum", "plane-prdp", most=0.25, of="excess"),
            between("So does policy gradient", "plane-kl-control", "plane-prdp", least=-0.05, most=0.05, of=_TV),
            between(
                "In the plane the clip hardly matters", "plane-prdp-open", "plane-prdp", least=-0.1, most=0.1, of=_TV
            ),
            above("DDPO fails by the batch's statistics", "few-ddpo", "ddpo", least=0.1, of="judge/accuracy"),
            above("and those by the constants", "even-ddpo", "ddpo", least=0.1, of="judge/accuracy"),
            above("without which it is as good", "even-ddpo", "prdp", least=-0.08, of="judge/accuracy"),
            between(
                "LOOP centres by prompt and is as good", "loop", "prdp", least=-0.08, most=0.08, of="judge/accuracy"
            ),
            below("PRDP stays nearer to its start than LOOP", "prdp", "loop", of="train/kl"),
            above("Without the clip digits decay", "prdp-open", "prdp", of="frechet"),
        ),
    ],
)
