"""The end of the chain first, and branches that share its beginning. After Hu et al. 2025, "Towards Better Alignment:
Training Diffusion Models with Reinforcement Learning Against Sparse Rewards" (B²-DiffuRL), arXiv:2503.11240.

A denoiser of digits whose training labels were mostly wrong draws the digit that was asked for a quarter of the time,
and is paid a judge's probability of that digit, at the end and nowhere before. DDPO credits all steps of a chain with
that. `backward` learns from the last steps, six of nine in the beginning and all in the end; `branch` from the last
six all along, with groups of four that share what is before, and of each the best and the worst; `both` is
B²-DiffuRL. These arms draw as many images, have as many rewards and make as many updates; `half` draws half as many,
and shows what can be seen.

A second judge, which saw other images, says how often the digit is there, and its features how varied the images are:
the share of real digits that lie near one of forty images that it takes for the right digit, so that to be right more
often is not to be less varied. It falls as arms learn, and they learn at different speeds; so it is compared where they
are right equally often (`at/coverage`), and alignment where coverage is equal (`aligned`). The mean distance between
images is beside it (`at/diversity`); that also grows where images decay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, checks
from rlft.methods.b2_diffurl import b2_diffurl as backward_and_branches
from rlft.methods.ddpo import ddpo
from rlft.recipes import recipe
from rlft.types import Method
from rlft.worlds.digits import aligned

# How often an arm is right where variety is compared, and the coverage at which alignment is, as a share of the base's.
RIGHT, COVERED = 0.5, 0.5
_COMMON: dict[str, Any] = {"clip": 0.5, "buffer": 128, "minibatches": 2}


def _b2(first: int = 6, over: int = 40, **more: Any) -> Method:
    return backward_and_branches(first=first, over=over, **_COMMON, **more)


b2_diffurl = recipe(
    aligned,
    _b2(),
    watch_kl=False,
    steps=40,
    prompts=64,
    group=4,
    lr=3e-4,
    rows=None,
    problems=2048,
    every=10,
)


def matched(metrics: Lines, evaluations: Lines) -> Numbers:
    """What is compared at another number's equal, on the lines between two evaluations of a run.

    at/NAME    NAME where held-out accuracy first reaches `RIGHT`
    aligned    the accuracy where coverage last falls below `COVERED` of the base's; the last one where it never does
    """
    lines = [line for line in evaluations if line["coverage"] is not None]  # it is of few that are right
    right, covered = ([float(line[name]) for line in lines] for name in ("judge/accuracy", "coverage"))
    names = {"diversity": "diversity/right", "coverage": "coverage", "frechet": "frechet", "step": "step"}
    found = {f"at/{name}": crossed(right, [float(line[of]) for line in lines], RIGHT) for name, of in names.items()}
    enough = COVERED * covered[0] if lines else math.nan
    # backwards, coverage first comes up to what is enough; at once, where it never fell below
    return {**found, "aligned": crossed(covered[::-1], right[::-1], enough)}


def crossed(heights: Sequence[float], values: Sequence[float], height: float) -> float:
    """The value where the heights first reach this one, on the line between two neighbours; NaN if they never do."""
    if heights and heights[0] >= height:
        return values[0]
    for i in range(1, len(heights)):
        if heights[i] >= height:
            share = (height - heights[i - 1]) / (heights[i] - heights[i - 1])
            return values[i - 1] + share * (values[i] - values[i - 1])
    return math.nan


_ARMS = {
    "base": Arm("the base, untrained", {"steps": 0}, grid={}),
    "ddpo": Arm("DDPO", {"method": ddpo(**_COMMON)}),
    "backward": Arm("and backward: the last steps first", {"method": _b2(sampling="rows")}),
    "branch": Arm("and branches, of the last six steps all along", {"method": _b2(over=0)}),
    "half": Arm("DDPO, half of the images in a batch", {"method": ddpo(**_COMMON), "prompts": 32}),
    "both": Arm("B²-DiffuRL: branches, and the last steps first", {"method": _b2()}),
}
CLAIM = Claim(
    sentence="Learning from the last denoising steps first, and from branches that share the steps before, aligns a "
    "diffusion model better than DDPO does when only the finished image is paid for, and its images stay more varied.",
    source="Hu et al. 2025, arXiv:2503.11240",
    budget="40 batches of 256 images, as many rewards, and two updates of each; branches take fewer calls of the "
    "network, for a prefix is drawn once. Arms choose their learning rate from two.",
    scaled_down="A 0.5 M-parameter denoiser of 8x8 digits for Stable Diffusion 1.4, every weight of it trained and "
    "guidance 1; ten steps for twenty, ten prompts for hundreds; groups of four for five; a digit for CLIP's or BERT's "
    "score of what a prompt says.",
    real="rlft train --model CompVis/stable-diffusion-v1-4 --data PROMPTS.jsonl --reward SCORE.py:clip --method "
    "b2_diffurl --method.first 14 --method.over 100 --method.buffer 128 --method.epochs 2 --denoising-steps 20 "
    "--guidance 5 --event mean --group 5 --prompts 250 --lora 16 --lr 1e-4 --steps 100",
    metric="judge/accuracy",
    table=("reward", "diversity/right", "coverage", "frechet", "aligned", "at/diversity", "at/coverage", "at/step"),
    grid={"lr": (2e-4, 3e-4)},
    seeds=12,
    shared=("updates",),
    smoke={"steps": 1, "pretraining": 20, "prompts": 4, "problems": 16},
    arms=_ARMS,
    statements=[
        above("B²-DiffuRL is right more often than DDPO", "both", "ddpo", least=0.03),
        above("as varied as DDPO, it is right more often", "both", "ddpo", least=0.03, of="aligned"),
        above("right as often as DDPO, its images are more varied", "both", "ddpo", least=0.05, of="at/coverage"),
        above("branches by themselves: right more often", "branch", "ddpo", least=0.03),
        above("the last steps first, by itself: right more often", "backward", "ddpo", least=0.03),
        *checks(
            above("DDPO learns", "ddpo", "base", least=0.2),
            below("and covers less of what is real", "ddpo", "base", most=-0.1, of="coverage"),
            above("a difference would be seen: of twice as many images", "ddpo", "half", least=0.05),
            below("a shared prefix is drawn once", "both", "ddpo", most=-8000, of="cost/decisions/drawn"),
        ),
    ],
    more=matched,
)
