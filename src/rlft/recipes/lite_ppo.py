"""The tricks of group-based PPO one at a time, and Lite PPO. After Liu et al. 2025, "Part I: Tricks or Traps?",
arXiv:2508.08221.

Sums of several digits, answered with their running totals by a small character model that had a careless teacher: it
slips, now and then gives the last total without the others, or goes on until it is cut off. So answers differ in
length, and the reward sees their last character alone. The base solves most `easy` sums (five or six numbers) and
fewer than half of the `hard` ones (seven to ten); all else is the same. In `equal` sums every answer has one length:
the control, where the token mean must not matter. The arms are the paper's grid of normalisers and aggregations on
easy and hard sums, clip-higher and the overlong filter on top of Lite PPO, and DAPO, also without its dynamic sampling
and against Lite PPO with as many rows. No beginning of a test sum stands in the training split.
"""

from __future__ import annotations

from statistics import mean, median
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, Statement, above, below, between, checks
from rlft.methods.dapo import dapo
from rlft.methods.lite_ppo import lite_ppo as lite
from rlft.methods.tricks import tricks
from rlft.recipes import recipe
from rlft.types import Method
from rlft.worlds.worked_sums import TOKENS, totals

lite_ppo = recipe(totals, lite(minibatches=4), watch_kl=False, steps=40, prompts=8, group=8, lr=2e-4, rows=None)


def noticed(metrics: Lines, evaluations: Lines) -> Numbers:
    """Means over the whole run: the size of an advantage and the share of flat groups; and how the gradient jumps.

    spikes   the largest gradient norm of a step over the median of all
    """
    norms = [line["grad_norm"] for line in metrics if "grad_norm" in line]
    return {
        "advantage": mean(line["advantage/abs"] for line in metrics) if metrics else 0.0,
        "flat": mean(line["groups/flat"] for line in metrics) if metrics else 0.0,
        "spikes": max(norms) / median(norms) if norms else 1.0,
    }


# Name: mean, deviation. Lite PPO is hybrid-token, GRPO without a KL is group-sequence.
NORMALISERS: dict[str, dict[str, Any]] = {
    "group": {"mean": "group", "std": "group"},
    "batch": {"mean": "batch", "std": "batch"},
    "hybrid": {"mean": "group", "std": "batch"},
    "none": {"mean": "group", "std": "none"},
}
# The rows that DAPO drew when this was first run, for an ablation that was added then.
ROWS_OF_DAPO = {"easy": 5760, "hard": 4864}


def _tricks(**settings: Any) -> Method:
    return tricks(**settings, minibatches=4)


def _arms(setting: str) -> dict[str, Arm]:
    arms: dict[str, tuple[str, Method]] = {
        **{
            f"{name}-{kind}": (f"{name} normaliser, {kind} mean", _tricks(**normaliser, aggregate=kind))
            for name, normaliser in NORMALISERS.items()
            for kind in ("token", "sequence")
        },
        "higher": ("Lite PPO and clip-higher", _tricks(high=0.28)),
        "filter": ("Lite PPO and filter", _tricks(overlong=TOKENS)),
        "dapo": ("DAPO", dapo(rounds=3, minibatches=4)),
        "static": ("DAPO without its dynamic sampling", _tricks(std="group", high=0.28)),
        "more": ("Lite PPO with as many rows as DAPO draws", _tricks()),
    }
    more = {"more": {"steps": ROWS_OF_DAPO[setting] // 64}}.get
    return {
        f"{setting}-{name}": Arm(f"{setting} sums, {text}", {"setting": setting, "method": method, **more(name, {})})
        for name, (text, method) in arms.items()
    }


def _of_setting(s: str) -> list[Statement]:
    near: dict[str, Any] = {"least": -0.02, "most": 0.02}
    lite, none = f"{s}-hybrid-token", f"{s}-none-token"
    return [
        above(f"Lite PPO beats GRPO, {s}", lite, f"{s}-group-sequence", least=0.01),
        above(f"Lite PPO beats DAPO, {s}", lite, f"{s}-dapo", least=0.01),
        between(f"clip-higher does nothing for a base, {s}", f"{s}-higher", lite, **near),
        *checks(
            between(f"by the batch's or by no deviation is the same up to a step's scale, {s}", lite, none, **near),
            above(f"DAPO's lead is its rows: with as many Lite PPO is as good, {s}", f"{s}-more", f"{s}-dapo", -0.01),
            between(f"without dynamic sampling DAPO has no lead, {s}", f"{s}-static", lite, **near),
            above(f"the filter costs nothing, {s}", f"{s}-filter", lite, least=-0.02),
        ),
    ]


CLAIM = Claim(
    sentence="Two tricks, the group's mean with the batch's deviation and the token mean, make plain PPO without a "
    "critic better than GRPO and DAPO, and what the other tricks give depends on the data and the model.",
    source="Liu et al. 2025, arXiv:2508.08221",
    budget="40 steps of 8 sums with 8 answers each, in 4 minibatches; DAPO may draw up to three times as many rows, as "
    "its dynamic sampling does. Every arm chooses its learning rate from the same two.",
    scaled_down="a character model of 0.1 million parameters taught with mistakes, for Qwen3 base models; sums for "
    "competition mathematics; answers of up to 14 tokens for 8000. Held-out accuracy is that of 625 sums, two "
    "answers each, drawn at temperature 1.",
    real="rlft train --model Qwen/Qwen3-8B-Base --data TRAIN.jsonl --reward math --method tricks --method.std batch "
    "--method.aggregate token --group 8 --prompts 128 --method.minibatches 4",
    metric="reward",
    table=("worked", "truncated", "tokens", "advantage", "spikes", "flat", "cost/rows/drawn"),
    shared=(),
    grid={"lr": (1.5e-4, 3e-4)},
    more=noticed,
    curve="grad_norm",
    smoke={"steps": 2, "imitation": 25, "prompts": 4},
    arms={
        **_arms("easy"),
        **_arms("hard"),
        **{
            f"equal-{kind}": Arm(f"equal lengths, {kind} mean", {"setting": "equal", "method": _tricks(aggregate=kind)})
            for kind in ("token", "sequence")
        },
    },
    statements=[
        *_of_setting("easy"),
        *_of_setting("hard"),
        above(
            "where rewards are concentrated no deviation is better than the group's",
            "easy-none-token",
            "easy-group-token",
            least=0.01,
        ),
        below(
            "the batch's mean is worse than the group's where difficulty varies",
            "hard-batch-token",
            "hard-hybrid-token",
            most=-0.01,
        ),
        above(
            "the token mean is better than the sequence mean where lengths vary",
            "hard-hybrid-token",
            "hard-hybrid-sequence",
            least=0.01,
        ),
        *checks(
            between(
                "the token mean is the sequence mean where lengths are equal",
                "equal-token",
                "equal-sequence",
                least=-0.01,
                most=0.01,
            ),
            above("the totals are worked out, not guessed", "hard-hybrid-token", least=0.75, of="worked"),
        ),
    ],
)
