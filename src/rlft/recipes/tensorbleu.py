"""BLEU as the reward of a small translation model, counted three ways. After TensorBLEU, arXiv:2510.05485.

The paper's case is that BLEU of token ids, a tensor operation, takes the reward out of the training step's time. The
arms: `sentence` counts a batch at a time; `nltk` is the loop of NLTK calls that it replaces, with the same numbers and
so the same training; `prefix` gives each token what it adds to the BLEU so far, which only a metric of all prefixes
makes affordable. What a step spends on the reward is `seconds/reward` of its metrics.

The language is made here: letters, a dictionary, and adjectives that follow their noun. The base has imitated
translations with slips. The test split shares no beginning of a sentence with the training split.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.gae import return_to_go
from rlft.advantages.group import CONSTANT, deviation
from rlft.advantages.shaping import rewards_of_decisions
from rlft.evidence.claim import Arm, Claim, Lines, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.recipes import recipe
from rlft.types import Rollouts, Runtime
from rlft.worlds import World
from rlft.worlds.capitals import Credit, capitals


def counted(
    credit: Credit = "sentence",
    imitation: int = 600,
    critic: bool = False,
    beside: tuple[int, int] | None = None,
    rxlm: str | None = None,
) -> World:
    """Translation with BLEU as the reward.

    Args:
        credit: sentence BLEU of a batch, what each token adds to it, or a loop of NLTK calls.
        imitation: supervised steps of the base model, 64 sentences each: fewer leave it weaker.
        critic: the model has one, for methods that need it.
        beside: measure the metric itself beside NLTK and sacrebleu: sentences and tokens of a batch.
        rxlm: the published implementation too: a folder with it, `pip install --no-deps --target FOLDER rxlm`.
    """
    world = capitals(credit, imitation, critic, beside, rxlm)
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


def shares(metrics: Lines, evaluations: Lines) -> dict[str, float]:
    """Of the steps after the first: the median milliseconds of the reward, and its share of a step."""
    taken = [(line["seconds/reward"], line["seconds/step"]) for line in metrics[1:]]
    if not taken:
        return {}
    return {
        "speed/reward_ms": 1e3 * statistics.median(reward for reward, _ in taken),
        "speed/share": statistics.median(reward / step for reward, step in taken),
    }


_METRIC: dict[str, Any] = {"steps": 0, "beside": (256, 1024)}

CLAIM = Claim(
    sentence="BLEU of every sentence of a batch, counted on token ids at once, gives NLTK's numbers in a fraction of "
    "the time, and so the same training by reinforcement learning with a smaller part of its step.",
    source="arXiv:2510.05485",
    budget="60 steps of 16 sentences, 16 translations each, for every arm that learns; each chooses its learning rate "
    "from three. The metric is measured on 256 sentences of up to 1,024 tokens, all counters in turns in one process.",
    scaled_down="one processor thread for a GPU; a model of 0.1 million weights and sentences of 8 to 15 letters for "
    "training, so the reward is a small part of a step whoever counts. The paper's times are of a T4 and an A100 "
    "(13 and 40 times as fast as NLTK); 13 is asked here.",
    real="rlft train --model Qwen/Qwen2.5-0.5B --data pairs.jsonl --eval-data test.jsonl "
    "--reward \"bleu(tokenizer='13a')\" --method grpo --lora 16 --max-new-tokens 256",
    metric="reward",
    table=("apart/nltk", "apart/sacrebleu", "speed/nltk", "speed/sacrebleu", "speed/reward_ms", "speed/share"),
    shared=("rows/drawn", "updates"),
    grid={"lr": (1e-4, 3e-4, 1e-3)},
    smoke={"imitation": 2, "steps": 2, "prompts": 2, "group": 3, "beside": (4, 16)},
    more=shares,
    arms={
        "base": Arm("the model before it learns", {"steps": 0}, grid={}),
        "sentence": Arm("GRPO, BLEU counted on tensors"),
        "nltk": Arm("GRPO, BLEU by a loop of NLTK calls", {"credit": "nltk"}),
        "prefix": Arm("GRPO, each token is paid what it adds", {"credit": "prefix"}),
        "metric": Arm("the metric itself, beside NLTK and sacrebleu", _METRIC, grid={}),
        "published": Arm("and beside the published implementation", _METRIC, grid={}, data="published"),
    },
    statements=[
        below("its scores are NLTK's", "metric", most=1e-12, of="apart/nltk"),
        below("and sacrebleu's", "metric", most=1e-12, of="apart/sacrebleu"),
        above("counted thirteen times as fast as by NLTK", "metric", least=13, of="speed/nltk"),
        above("and as by sacrebleu", "metric", least=13, of="speed/sacrebleu"),
        between("training comes out as with NLTK", "sentence", "nltk", least=0, most=0),
        below("with less time for the reward", "sentence", "nltk", most=-5.0, of="speed/reward_ms"),
        above("the policy learns from it", "sentence", "base", least=0.2),
        *checks(
            above("the published one gives other scores", "published", least=1e-6, of="apart/published"),
            above("is slower than ours", "published", least=13, of="speed/published"),
            above("and takes more memory", "published", least=10, of="speed/memory"),
            between("credit of tokens learns as much", "prefix", "sentence", least=-0.05, most=0.05),
        ),
    ],
)
