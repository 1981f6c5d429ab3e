"""Critiques of several critics put together, and preferences between critiques that revisions must bear out. After Lan
et al. 2024, "Training Language Models to Critique With Multi-agent Feedback", arXiv:2410.15287.

Deliveries in which things are wrong are criticised by four rules with blind spots. A small model imitates the best of
them, their union, what two of them name, or what a meta-critic takes of the union; and from there it is reinforced by
PPO with a reward model. That was fitted to preferences between critiques: of the meta-critic, who likes long ones, or
by lot in part; all of them, or those that revisions bear out. Judged is F1 of the units in held-out critiques, and what
the reward model believes of the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.ppo import ppo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.multicritical import multicritical

_PPO = ppo(beta=0.05, epochs=2)

multicritique = recipe(multicritical, _PPO, watch_kl=False, steps=30, prompts=64, group=2, lr=5e-4, rows=None, every=0)


def on_the_way(metrics: Lines, evaluations: Lines) -> Numbers:
    """How much more, in the end than at first, `grown` F1 is, and `believed/grown` the reward model's number."""
    first, last = evaluations[0], evaluations[-1]
    told = {"grown": last["reward"] - first["reward"]}
    return told | ({"believed/grown": last["believed"] - first["believed"]} if "believed" in last else {})


def _imitating(shown: str, begun: str = "weak") -> Mapping[str, Any]:
    return {"method": sft(), "shown": shown, "begun": begun, "paid": "f1", "prompts": 128, "group": 1}


def _paid(**settings: Any) -> Mapping[str, Any]:
    return {"method": _PPO, **settings}


_LR = {"lr": (5e-4, 1e-3)}
_SFT = {"lr": (1e-3, 2e-3)}
_KL = {"method.beta": (0.02, 0.1)}
CLAIM = Claim(
    sentence="Critiques of several critics, of which a meta-critic takes the good units, teach more than those of the "
    "best critic; reinforcement learning with a reward model of preferences that revisions bear out adds to that, and "
    "with one of all preferences it takes away.",
    source="Lan et al. 2024, arXiv:2410.15287",
    budget="30 updates on 128 critiques for every arm, imitated or drawn, two of a delivery. Arms that imitate choose "
    "their learning rate from two, those that are reinforced the weight of the KL to the start from two.",
    scaled_down="models of 0.1 million parameters for InternLM2 of 7 billion; orders of three pieces for open "
    "questions. Critics, meta-critic and revisers are rules with known chances for language models, so what they get "
    "wrong is assumed here: three critics are nearly blind to one kind of error each; the meta-critic takes 95 of a "
    "hundred true units and 30 false ones, and adds up severities without taking off for what he does not take, so "
    "that a longer critique is never worse to him; revisers do what they are told, and break every second right piece "
    "that is blamed. The start of what is reinforced is one model for all seeds; the reward model is each seed's own, "
    "linear in what is said of each look, and fitted to 2400 pairs or what is kept of them.",
    real="rlft train --model CRITIC --data RESPONSES.jsonl --chat --reward \"scorer('CRITIQUE-REWARD')\" --method ppo "
    "--method.beta 0.02 --prompts 128 --group 1 --max-new-tokens 1024 --lr 1e-6 --steps 250",
    metric="reward",
    table=("precision", "recall", "said", "accused", "grown", "believed/grown", "pairs/noise", "pairs/kept"),
    grid=_KL,
    seeds=8,
    shared=(),
    smoke={"steps": 1, "imitation": 1, "tuning": 1, "pairs": 8, "epochs": 1, "prompts": 4, "questions": 6},
    more=on_the_way,
    curve="measure/said",
    arms={
        "base": Arm("the base, which imitated the fourth critic", {"steps": 0, "begun": "weak", "paid": "f1"}, grid={}),
        "single": Arm("imitation of the best critic", _imitating("first"), grid=_SFT),
        "union": Arm("of the union of four", _imitating("union"), grid=_SFT),
        "backed": Arm("of what two of them name", _imitating("backed"), grid=_SFT),
        "filtered": Arm("of what the meta-critic takes of the union", _imitating("filtered"), grid=_SFT),
        "start": Arm("the start of what follows, untrained", {"steps": 0, "paid": "f1"}, grid={}),
        "more": Arm("imitated further", _imitating("filtered", "taught"), grid=_LR),
        "raw": Arm("reinforced, all preferences of the meta-critic", _paid(revisions=0)),
        "marv": Arm("reinforced, those that revisions bear out", _paid()),
        "lot": Arm("three labels in ten turned round by lot, all", _paid(labels="lot", revisions=0)),
        "truth": Arm("labels by F1", _paid(labels="truth", revisions=0)),
        "f1": Arm("paid by F1 itself", _paid(paid="f1")),
    },
    statements=[
        above("several critics teach more than the best one", "filtered", "single", least=0.03),
        above("the meta-critic's choice more than the union", "filtered", "union", least=0.03),
        above("borne-out preferences add to more imitation", "marv", "more", least=0.0),
        above("they are better than all preferences", "marv", "raw", least=0.03),
        below("with all of them it is worse than more imitation", "raw", "more", most=0.0),
        *checks(
            between("the start is in the middle", "start", least=0.4, most=0.9),
            above("there is something to learn", "f1", "start", least=0.05),
            above("all preferences make critiques longer", "raw", "start", least=0.2, of="said"),
            above("while their reward model believes them better", "raw", least=0.0, of="believed/grown"),
            below("borne-out labels are wrong less often", "marv", "raw", most=-0.1, of="pairs/noise"),
            above("it is the liking for length that harms: noise by lot does less", "lot", "raw", least=0.0),
        ),
    ],
)
