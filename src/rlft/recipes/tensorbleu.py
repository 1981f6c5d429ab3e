"""BLEU as the reward of a small translation model, counted three ways. After TensorBLEU, arXiv:2510.05485.

The paper's case is that BLEU of token ids, a tensor operation, takes the reward out of the training step's time. The
arms: `sentence` counts a batch at a time; `nltk` is the loop of NLTK calls that it replaces, with the same numbers and
so the same training; `prefix` gives each token what it adds to the BLEU so far, which only a metric of all prefixes
makes affordable. What a step spends on the reward is `seconds/reward` of its metrics.

The language is made here: letters, a dictionary, and adjectives that follow their noun. The base has imitated
translations with slips. The test split shares no beginning of a sentence with the training split.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.gae import return_to_go
from rlft.advantages.group import CONSTANT, deviation
from rlft.advantages.shaping import rewards_of_decisions
from rlft.methods.grpo import grpo
from rlft.recipes import recipe
from rlft.types import Rollouts, Runtime
from rlft.worlds import World
from rlft.worlds.capitals import Credit, capitals


def counted(credit: Credit = "sentence", imitation: int = 600, critic: bool = False) -> World:
    """Translation with BLEU as the reward.

    Args:
        credit: sentence BLEU of a batch, what each token adds to it, or a loop of NLTK calls.
        imitation: supervised steps of the base model, 64 sentences each: fewer leave it weaker.
    """
    world = capitals(credit, imitation, critic)
    return replace(world, adapted=lambda method: replace(method, advantage=to_go)) if credit == "prefix" else world


def to_go(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N D"]:
    """A_id = (G_id - mean of G_jd) / std R: rewards from decision d on, against the group's rows that reached d.

    With a single reward at the end, and rows of one length, it is GRPO's advantage in every decision.
    """
    future = return_to_go(rewards_of_decisions(rollouts), rollouts.mask)
    future = torch.where(rollouts.mask, future, torch.nan).unflatten(0, (-1, rollouts.group))
    std = deviation(rollouts.rewards.reshape(-1, rollouts.group), correction=1)[..., None]
    centred = future - future.nanmean(1, keepdim=True)
    advantage = torch.where(std > CONSTANT, centred / std.clamp(min=CONSTANT), 0 * centred).flatten(0, 1)
    return torch.where(rollouts.mask, advantage, 0)


tensorbleu = recipe(counted, grpo(beta=0.0), steps=60, prompts=16, group=16, lr=3e-4, rows=None)
SMOKE = {"imitation": 2}
