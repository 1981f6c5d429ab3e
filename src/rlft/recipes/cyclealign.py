"""A judge and a policy that teach each other by the rankings on which they agree. After Hong et al. 2023, "CycleAlign:
Iterative Distillation from Black-box LLM to White-box Models for Better Human Alignment", arXiv:2310.16271.

A small character model writes answers whose worth is hidden. A simulated judge ranks them, with tastes that are wrong
in part and noise on each answer, and learns by a step of gradient descent from rankings that he is shown; no language
model judges here. The arms are imitation of the judge's best, RRHF by his whole ranking (one way), CycleAlign, the same
without anything shown to him, the two ways in between, and GRPO that is paid by his places; all ask him as often. The
controls are a judge who knows, one who shares the base's worst taste, and one who believes what he is shown too easily.

Judged is what held-out answers are worth. The judge is examined by Kendall's tau of his order and the hidden one on
answers of the base, which stay the same, with what he is shown at each step; at the first step that is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import mean
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.evidence.statistics import quarters
from rlft.methods.cyclealign import cyclealign as cycling
from rlft.methods.grpo import grpo
from rlft.recipes import recipe
from rlft.worlds.ranked import ranked

STEPS = 40


def cycles(**told: Any) -> Mapping[str, Any]:
    """The method as it is used here: 32 demonstrations, and a ranking loss that does not drown imitation."""
    return {"method": cycling(**{"keep": 32, "weight": 0.01, **told})}


cyclealign = recipe(
    ranked, cycles()["method"], watch_kl=False, steps=STEPS, prompts=16, group=8, lr=1e-3, rows=None, every=10
)


def by_round(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went.

    tau/first  of the judge before he is shown anything, on answers of the base
    tau/gain   how much larger it is on average over the steps after that
    tau/late   in the last quarter of the steps
    right/NAME share of the pairs he is shown that are in the hidden order, in the first quarter (early) and the last
    agreed     share of rows on which he and the policy agree, on average over the steps
    half       held-out worth at the run's middle
    tipped     1 if it is less in the end than at the start
    """
    found = {name: _of(metrics, name) for name in ("measure/tau", "measure/right", "ranked/agreed")}
    tau, (early, late) = found["measure/tau"], quarters(found["measure/right"] or [math.nan])
    worths = [line["reward"] for line in evaluations]
    told = {"right/early": early, "right/late": late, "half": worths[len(worths) // 2]}
    told["tipped"] = float(worths[-1] < worths[0])
    told["agreed"] = mean(found["ranked/agreed"]) if found["ranked/agreed"] else math.nan
    if len(tau) < 2:
        return told
    return told | {"tau/first": tau[0], "tau/gain": mean(tau[1:]) - tau[0], "tau/late": quarters(tau)[1]}


def _of(metrics: Lines, name: str) -> list[float]:
    return [line[name] for line in metrics if line.get(name) is not None and line[name] == line[name]]


_ONE_WAY, _SHOWN = {"teaches": "judge", "shown": "none"}, {"teaches": "judge"}
_RANKED = {"lr": (5e-4, 1e-3), "method.weight": (0.01, 0.1)}
_FIXED: dict[str, Any] = {}
CLAIM = Claim(
    sentence="A judge that cannot be trained and a policy that is align each other: what both rank alike, shown to the "
    "judge and taught to the policy, makes the judge rank better, and the policy better than what the judge alone "
    "teaches, one way.",
    source="Hong et al. 2023, arXiv:2310.16271",
    budget="40 updates on 16 questions with 8 answers each, so 640 rankings by the judge, for every arm. Arms choose "
    "their learning rate from two and the weight of the ranking loss from two, GRPO its learning rate from four; where "
    "an agreed order teaches by RRHF the weight decides nothing. Controls have the same numbers as what they control.",
    scaled_down="a character model of 0.1 million parameters for Alpaca-7B; answers of four to eight letters, whose "
    "worth is linear in seven features, for dialogues on helpfulness and harm; and a simulated judge for ChatGPT: his "
    "learning from demonstrations is one step of gradient descent by construction (eight right rankings raise his tau "
    "from 0.36 to 0.45), so that he learns is assumed here, and what he learns is found out. One base and one judge's "
    "tastes for all seeds; his noise is each seed's own. 32 demonstrations. Which part of the ranking teaches the "
    "policy, and the weight of its loss, no source at hand says; both ways are tried.",
    real="rlft train --model PKU-Alignment/alpaca-7b-reproduced --data hh.jsonl --chat --reward "
    "\"ranking(url='http://127.0.0.1:8000/v1', model='JUDGE', demonstrations='STATIC.jsonl', cache='ranked.jsonl')\" "
    "--method cyclealign --method.keep 4 --method.least 3 --prompts 32 --group 4 --max-new-tokens 256 --lora 16 "
    "--lr 1e-5 --steps 500",
    metric="reward",
    table=("half", "tipped", "tau/first", "tau/gain", "tau/late", "right/early", "right/late", "agreed", "truncated"),
    grid=_RANKED,
    seeds=12,
    smoke={"steps": 2, "imitation": 2, "prompts": 4, "group": 4, "questions": 8, "examined": 2},
    more=by_round,
    curve="reward",
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid=_FIXED),
        "best": Arm("imitation of the judge's best", cycles(**_ONE_WAY, weight=0.0), grid={"lr": (5e-4, 1e-3)}),
        "one_way": Arm("RRHF by the judge's ranking, one way", cycles(**_ONE_WAY)),
        "cycle": Arm("CycleAlign", cycles(), grid={"lr": (5e-4, 1e-3)}),
        "pro": Arm("CycleAlign with PRO's loss", cycles(form="pro")),
        "alone": Arm("the same as CycleAlign, nothing shown", cycles(shown="none"), grid={"lr": (5e-4, 1e-3)}),
        "shown": Arm("the judge's ranking teaches, he is shown what is agreed on", cycles(**_SHOWN)),
        "shown_own": Arm("it teaches, he is shown it himself", cycles(**_SHOWN, shown="judge")),
        "grpo": Arm("GRPO, paid by his places", {"method": grpo(beta=0.0)}, grid={"lr": (2.5e-4, 5e-4, 1e-3, 2e-3)}),
        "heavy": Arm("one way, RRHF's weight 1", cycles(**_ONE_WAY, weight=1.0), grid=_FIXED),
        "truth": Arm("one way, a judge who knows", {**cycles(**_ONE_WAY), "judge": "right"}, grid=_FIXED),
        "biased_one_way": Arm("one way, a biased judge", {**cycles(**_ONE_WAY), "judge": "biased"}, grid=_FIXED),
        "biased": Arm("CycleAlign, a biased judge", {**cycles(), "judge": "biased"}, grid=_FIXED),
        "credulous": Arm("CycleAlign, a credulous judge", {**cycles(), "learns": 12.0}, grid=_FIXED),
    },
    statements=[
        above("the cycle is better than one way", "cycle", "one_way", least=0.2),
        above("the policy becomes better", "cycle", "base", least=0.5),
        above("and the judge ranks better for what he is shown", "cycle", least=0.0, of="tau/gain"),
        *checks(
            between("the judge is neither blind nor right", "cycle", least=0.2, most=0.5, of="tau/first"),
            above("a judge who knows teaches more, one way", "truth", "one_way", least=0.2),
            between(
                "showing him what is agreed on adds little to learning from it", "cycle", "alone", least=-0.2, most=0.1
            ),
            above("it helps where his whole ranking teaches", "shown", "one_way", least=0.2),
            above("and no less than to show him his own", "shown", "shown_own", least=-0.2),
            above("what is agreed on is right more often", "shown", "shown_own", least=0.01, of="right/early"),
            between("GRPO by his places is as good", "grpo", "cycle", least=-0.4, most=0.3),
            below("RRHF's weight of 1 teaches nothing", "heavy", "base", most=0.2),
            below(
                "with the base's worst taste the cycle ends worse than one way", "biased", "biased_one_way", most=-0.5
            ),
            below("and with a judge who believes too easily than with the other", "credulous", "cycle", most=-0.3),
            below("as he comes to rank worse", "credulous", "cycle", most=-0.1, of="tau/late"),
        ),
    ],
)
