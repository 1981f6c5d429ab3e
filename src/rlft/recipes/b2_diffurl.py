"""The end of the chain first, and branches that share its beginning. After Hu et al. 2025, "Towards Better Alignment:
Training Diffusion Models with Reinforcement Learning Against Sparse Rewards" (B²-DiffuRL), arXiv:2503.11240.

A denoiser of digits whose training labels were mostly wrong draws the digit that was asked for a quarter of the time,
and is paid a judge's probability of that digit, at the end and nowhere before. DDPO credits all steps of a chain with
that. `backward` learns from the last steps, four of nine in the beginning and all after three quarters of the run;
`branch` from the last six all along, with groups of four that share what is before, and of each the best and the
worst; `both` is B²-DiffuRL. All arms draw as many images, have as many rewards and make as many updates.

A second judge, which saw other images, says how often the digit is there. How varied the images are is asked of twenty
that this judge takes for the right digit, so that being right more often is not being less varied. Arms learn at
different speeds, so variety is compared where they are equally often right (`at/NAME`, between two evaluations), and
alignment where they are equally varied (`aligned`). Distance between images also grows where images decay; coverage of
real ones does not, and stands beside it.
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

# How often an arm is right where variety is compared, and how varied it is, as a share of the base, where alignment is.
RIGHT, VARIED = 0.5, 0.97
_COMMON: dict[str, Any] = {"clip": 0.5, "buffer": 128, "minibatches": 2}


def _b2(first: int = 4, over: int = 30, **more: Any) -> Method:
    return backward_and_branches(first=first, over=over, **_COMMON, **more)


b2_diffurl = recipe(
    aligned,
    _b2(),
    watch_kl=False,
    steps=40,
    prompts=32,
    group=4,
    lr=3e-4,
    rows=None,
    problems=1024,
    every=5,
)


def matched(metrics: Lines, evaluations: Lines) -> Numbers:
    """What is compared at another number's equal, of the evaluations of a run.

    at/NAME    NAME where held-out accuracy first reaches `RIGHT`, on the line between two evaluations; NaN if never
    aligned    the highest accuracy at an evaluation where right images are `VARIED` times as far apart as the base's
    """
    lines = [line for line in evaluations if line["diversity/right"] is not None]
    if not lines:  # a base that is hardly ever right
        return {}
    right = [line["judge/accuracy"] for line in lines]
    enough = VARIED * lines[0]["diversity/right"]
    names = {"diversity": "diversity/right", "coverage": "coverage", "frechet": "frechet", "step": "step"}
    found = {f"at/{name}": crossed(right, [float(line[of]) for line in lines], RIGHT) for name, of in names.items()}
    return {**found, "aligned": max(line["judge/accuracy"] for line in lines if line["diversity/right"] >= enough)}


def crossed(heights: Sequence[float], values: Sequence[float], height: float) -> float:
    """The value where the heights first come up to this one, on the line between two neighbours."""
    for i in range(1, len(heights)):
        if heights[i - 1] < height <= heights[i]:
            share = (height - heights[i - 1]) / (heights[i] - heights[i - 1])
            return values[i - 1] + share * (values[i] - values[i - 1])
    return values[0] if heights[0] >= height else math.nan


_ARMS = {
    "base": Arm("the base, untrained", {"steps": 0}, grid={}),
    "ddpo": Arm("DDPO", {"method": ddpo(**_COMMON)}),
    "backward": Arm("and backward: the last steps first", {"method": _b2(sampling="rows")}),
    "branch": Arm("and branches, of the last six steps all along", {"method": _b2(first=6, over=0)}),
    "both": Arm("B²-DiffuRL: branches, and the last steps first", {"method": _b2()}),
}
CLAIM = Claim(
    sentence="Learning from the last denoising steps first, and from branches that share the steps before, aligns a "
    "diffusion model better than DDPO does when only the finished image is paid for, and its images stay more varied.",
    source="Hu et al. 2025, arXiv:2503.11240",
    budget="40 batches of 128 images, as many rewards, and two updates of each; branches take fewer calls of the "
    "network, for a prefix is drawn once. Arms choose their learning rate from two.",
    scaled_down="A 0.5 M-parameter denoiser of 8x8 digits for Stable Diffusion 1.4, every weight of it trained and "
    "guidance 1; ten steps for twenty, ten prompts for hundreds; groups of four for five; a digit for CLIP's or BERT's "
    "score of what a prompt says. Whether it takes more than DDPO is not told by ten prompts.",
    real="rlft train --model CompVis/stable-diffusion-v1-4 --data PROMPTS.jsonl --reward SCORE.py:clip --method "
    "b2_diffurl --method.first 14 --method.over 100 --method.buffer 128 --method.epochs 2 --denoising-steps 20 "
    "--guidance 5 --event mean --group 5 --prompts 250 --lora 16 --lr 1e-4 --steps 100",
    metric="judge/accuracy",
    table=("reward", "diversity/right", "coverage", "frechet", "aligned", "at/diversity", "at/coverage", "at/step"),
    grid={"lr": (2e-4, 3e-4)},
    seeds=6,
    smoke={"steps": 1, "pretraining": 20, "prompts": 4, "problems": 16},
    arms=_ARMS,
    statements=[
        above("B²-DiffuRL is right more often than DDPO", "both", "ddpo"),
        above("also where images are as varied", "both", "ddpo", of="aligned"),
        above(
            "and its images are more varied where it is as often right", "both", "ddpo", least=0.5, of="at/diversity"
        ),
        above("branches help by themselves", "branch", "ddpo"),
        above("the last steps first: more varied images", "backward", "ddpo", of="at/diversity"),
        *checks(
            above("DDPO learns", "ddpo", "base", least=0.2),
            below("DDPO covers less of what is real than the base", "ddpo", "base", of="coverage"),
            above("B²-DiffuRL covers as much", "both", "ddpo", least=-0.03, of="at/coverage"),
        ),
    ],
    more=matched,
)
