"""What to mask in a text, chosen by the policy that predicts it. After Xing et al. 2025, "PretrainZero: Reinforcement
Active Pretraining", arXiv:2512.03442.

Articles of a small encyclopaedia, in each of which two words are known by heart, one follows from two facts by a
scratch line, and four are noise. A small character model reads them, says what might be masked, any word as likely, and
says what was; in a scratch line it misremembers every second fact. The arms read the same articles as text, or predict
words that are masked by lot, by the entropy of the model, or by its own choice, with the rule that a word which nobody
predicts pays nothing, or without it. Judged is accuracy on held-out words that follow, of articles with other pairs of
facts; and of which kind the masked words are, early and late.
"""

from __future__ import annotations

import math
from statistics import mean
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.pretrain_zero import pretrain_zero as active
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.types import Method
from rlft.worlds.wiki import FOLLOWS, KINDS, MASKING, wiki

STEPS, TEXTS, GROUP = 30, 8, 6
GROUPS = TEXTS * (1 + GROUP)  # of a step: those that choose, and one for each span
WINDOW = 5  # steps that are early, and that are late


def masks(word: str = MASKING.word, **told: Any) -> Method:
    """The method as it is told in this world."""
    wording = {"asked": MASKING.asked, "predicted_with": MASKING.predicted, "mask": MASKING.mask}
    return active(**wording, chosen=MASKING.chosen, word=word, longest=MASKING.longest, **told)


def over_steps(metrics: Lines, evaluations: Lines) -> Numbers:
    """How fast a run learned, and what was masked: of each kind the share of what was predicted.

    area                   mean held-out accuracy on what follows, of its evaluations
    early/KIND, late/KIND  in the first and in the last steps; NaN where nothing was masked
    valid                  share of replies that chose a word of the text, in the last steps
    used                   share of the groups that were learned from
    """
    found = {"area": mean(line[FOLLOWS] for line in evaluations)}
    for name, lines in (("early", metrics[:WINDOW]), ("late", metrics[-WINDOW:])):
        for kind in KINDS:
            found[f"{name}/{kind}"] = _mean(lines, f"measure/share/{kind}")
    return found | {"valid": _mean(metrics[-WINDOW:], "masks/valid"), "used": _mean(metrics, "groups/used")}


def _mean(lines: Lines, name: str) -> float:
    values = [line[name] for line in lines if line.get(name) is not None]
    return mean(values) if values else math.nan


pretrain_zero = recipe(
    wiki, masks(), watch_kl=False, steps=STEPS, prompts=TEXTS, group=GROUP, lr=8e-4, rows=None, every=5
)


_SAME: dict[str, Any] = {"chooser": "random", "masks": 1 + GROUP}


def _by(chooser: str, **told: Any) -> dict[str, Any]:
    """One word of each of as many texts as the active arm has groups."""
    return {"method": masks(chooser=chooser, **told), "prompts": GROUPS}


CLAIM = Claim(
    sentence="A policy that chooses which words of a text are masked, and predicts them, learns more from it than by "
    "masks at random, and these teach what reading the same text does not; entropy chooses noise.",
    source="Xing et al. 2025, arXiv:2512.03442",
    budget=f"{STEPS} steps of {GROUPS * GROUP} rows for every arm: {GROUP} choices in each of {TEXTS} articles and "
    f"{GROUP} predictions of each; or as many predictions, {GROUP} of one word in each of {GROUPS} articles, or of "
    f"every word of {TEXTS}; or as many articles, each read from left to right. A reply that chooses no word leaves "
    "its predictions unspent. Every arm chooses its learning rate from two.",
    scaled_down="a character model of 0.1 million parameters for models of 3 to 30 billion; an encyclopaedia of 12 "
    "entities and three relations for Wikipedia; spans are values, of one character each; a base that was taught to "
    f"choose a word, to predict one, and to misremember half of what it works out; groups of {GROUP} for 8. Metrics "
    "are those of 300 held-out articles, two answers each, at temperature 1, each with one word masked; follows are "
    "the two in three that follow from two facts, and area is the mean over seven evaluations of them.",
    real="rlft train --model Qwen/Qwen3-4B-Base --data wikipedia.jsonl --prompt-field text --reward label "
    "--method pretrain_zero --prompts 32 --group 8 --max-new-tokens 4096 --overlong drop --steps 2000 --lr 5e-7",
    metric="area",
    table=(FOLLOWS, "known", "noise", "worked", "early/follows", "late/follows", "late/noise", "valid", "used"),
    shared=(),
    grid={"lr": (8e-4, 1.6e-3)},
    seeds=12,
    smoke={"steps": 1, "imitation": 2, "prompts": 2, "group": 3, "questions": 12},
    more=over_steps,
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "text": Arm(
            "the articles as text, next tokens",
            {"method": sft(), "reading": "text", "prompts": GROUPS * GROUP, "group": 1},
        ),
        "random": Arm("masks at random", _by("random")),
        "same": Arm("masks at random, in the articles that the policy would see", {"method": masks(**_SAME)}),
        "entropy": Arm("masks where the model is least sure", _by("entropy")),
        "active": Arm("masks of its own choice"),
        "warm": Arm("the same, after 10 steps of masks at random", {"method": masks(warmup=10)}),
        "unruled": Arm(
            "its own choice, and a word that nobody predicts pays most", {"method": masks(unpredicted="paid")}
        ),
        "informed": Arm("masks of words that follow alone, by one who knows", _by("random", word=r"(?<=[-+*]{2})\w")),
    },
    statements=[
        above("its own choice is better than masks at random", "active", "random", least=0.05),
        above("masks at random are better than the base", "random", "base", least=0.05),
        below("reading the same text is not", "text", "base", most=0.05),
        below("the entropy teaches less than masks at random", "entropy", "random", most=-0.05),
        above("for it chooses noise", "entropy", least=0.8, of="late/noise"),
        above("and the policy what can be worked out", "active", "random", least=0.2, of="late/follows"),
        *checks(
            above("without the rule the policy drifts to noise", "unruled", "active", least=0.3, of="late/noise"),
            above("and learns less", "active", "unruled", least=0.05),
            above("who knows what follows learns faster than by masks at random", "informed", "random", least=0.0),
            above("ten steps of masks at random first help", "warm", "active", least=0.0),
            between("the base is neither at its floor nor its ceiling", "base", least=0.1, most=0.5, of=FOLLOWS),
            above("words that are known stay known", "active", "base", least=-0.25, of="known"),
        ),
    ],
)
# A base that has hardly begun chooses no word, and predicts none.
SMOKE = {"method": masks(chooser="random", flat="kept")}
