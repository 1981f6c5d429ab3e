"""Which of a model's ways to answer does reinforcement learning amplify? After Zhao et al. 2025, "Echo Chamber: RL
Post-training Amplifies Behaviors Learned in Pretraining", arXiv:2504.07912.

Models of two sizes, pre-trained from scratch on one corpus with three formats of answers: programs, which whoever
judges runs, results in tags, which are the most frequent, and results as text. The small model copies programs and can
hardly add, the large one adds, so each is most accurate in another format, and neither in the most frequent. They learn
from easy questions by GRPO, by PPO, or by expert iteration in rounds from the base. Judged is which format has won and
how far, pass@1, pass@64 and the majority of 64 draws on held-out easy questions, and the same on harder ones that are
never learned from. Besides: a KL to the base, and expert iteration that goes on from the last round.
"""

from __future__ import annotations

import math
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, Statement, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.ppo import ppo
from rlft.methods.rest_em import rest_em
from rlft.recipes import recipe
from rlft.worlds.mixed import FORMATS, mixed

STEPS, PROMPTS, GROUP, ROUNDS = 80, 16, 8, 8
LR = 1e-3
WON = 0.9  # the share from which a format has won

PLAIN = grpo(beta=0.0)
echo_chamber = recipe(
    mixed, PLAIN, watch_kl=False, steps=STEPS, prompts=PROMPTS, group=GROUP, lr=LR, rows=None, every=0
)


def over_run(metrics: Lines, evaluations: Lines) -> Numbers:
    """What became of the formats, from before the run to after it.

    best       1 if the format with the largest share is the one that was most accurate in the base, else 0
    frequent   1 if it is the one that was most frequent there
    risen      what the most accurate one has gained in share
    gained     what pass@1 has gained, `reached` pass@64, `harder` pass@1 of harder questions
    converged  the first step whose rows are of one format to nine tenths; one more than there are, if none is
    """
    first, last = evaluations[0], evaluations[-1]
    best = max(FORMATS, key=lambda name: _known(first[f"within/{name}"]))
    frequent, winner = (max(FORMATS, key=lambda name: line[f"share/{name}"]) for line in (first, last))
    won = [line["step"] for line in metrics if line["measure/share"] >= WON]
    return {
        "best": float(winner == best),
        "frequent": float(winner == frequent),
        "risen": last[f"share/{best}"] - first[f"share/{best}"],
        "gained": last["reward"] - first["reward"],
        "reached": last["pass@64"] - first["pass@64"],
        "harder": last["hard"] - first["hard"],
        "converged": float(won[0] if won else len(metrics) + 1),
    }


def _known(accuracy: float | None) -> float:
    """An accuracy; 0 where no row is of the format."""
    return 0.0 if accuracy is None or math.isnan(accuracy) else accuracy


def _rounds(**settings: Any) -> dict[str, Any]:
    return {
        "method": rest_em(**{"copies": None, "minibatches": 8, **settings}),
        "steps": ROUNDS,
        "prompts": 80,
        "group": 16,
    }


def _arms(size: str, before: str = "") -> dict[str, Arm]:
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "grpo": ("GRPO", {"method": PLAIN}),
        "ppo": ("PPO", {"method": ppo(epochs=2), "lr": LR / 2}),
        "ei": ("expert iteration", _rounds()),
    }
    return {
        f"{before}{name}": Arm(f"the {size} model, {text}", {"size": size, **told})
        for name, (text, told) in ways.items()
    }


def _of(arm: str, name: str) -> list[Statement]:
    """What is said of every arm by reinforcement learning."""
    return [
        above(f"{name}: one format wins", arm, least=WON, of="share"),
        above(f"{name}: it is the one that was most accurate in the base", arm, least=0.9, of="best"),
        below(f"{name}: and not the most frequent", arm, most=0.1, of="frequent"),
        above(f"{name}: pass@1 rises", arm, least=0.1, of="gained"),
        below(f"{name}: pass@64 does not", arm, most=0.02, of="reached"),
    ]


CLAIM = Claim(
    sentence="Reinforcement learning makes a model answer in one of the formats that it was pre-trained on, the one in "
    "which it is most accurate at its size; pass@1 rises with it, not pass@64, and harder questions gain too.",
    source="Zhao et al. 2025, arXiv:2504.07912",
    budget="80 steps of 16 questions with 8 answers each; expert iteration draws as many answers in 8 rounds of 80 "
    "questions with 16 each, and fine-tunes on the right ones in two passes of 8 steps. One learning rate, and "
    "half of it for PPO, which takes two passes and at all of it lost in pilots what it had learned; nothing else is "
    "tuned, as no way is to be better than another.",
    scaled_down="character models of 0.008 and 0.1 million parameters for 150 million and 1 billion, 64,000 answers of "
    "three formats for corpora of mathematics and code, chains of two and three operations for GSM8K and of four for "
    "MATH. Each format's corpus is wrong as often as it was built to be; one model of each size was pre-trained, "
    "and seeds differ in what is drawn from there on. A right answer has one wording in a format, so expert iteration "
    "keeps copies. 96 easy and 48 harder held-out questions, 64 answers each, at temperature 1.",
    real="rlft study formats RUN --format function='^\\s*def ' tags='<llm-code>' --rest text --draws 64 --out "
    "studies/formats",
    metric="reward",
    table=(
        *(f"share/{name}" for name in FORMATS),
        *("risen", "before/reward", "before/pass@64", "pass@64", "majority", "hard", "hard/pass@64", "converged"),
    ),
    seeds=8,
    more=over_run,
    curve="measure/share",
    smoke={"steps": 1, "imitation": 2, "prompts": 8, "group": 2, "asked": 2},
    arms={
        **_arms("large"),
        **_arms("small", "small-"),
        "kl": Arm("the large model, GRPO with a KL to the base", {"method": grpo(beta=0.3)}),
        "online": Arm("the large model, expert iteration from the last round", _rounds(start="online")),
    },
    statements=[
        *_of("grpo", "GRPO, large"),
        *_of("ppo", "PPO, large"),
        *_of("small-grpo", "GRPO, small"),
        *_of("small-ppo", "PPO, small"),
        above("expert iteration, large: one format wins", "ei", least=WON, of="share"),
        above("expert iteration, small: one format wins", "small-ei", least=WON, of="share"),
        above("at another size another format wins", "grpo", "small-grpo", least=0.8, of="share/text"),
        above("harder questions, never learned from, gain: GRPO", "grpo", least=0.05, of="harder"),
        above("and by PPO", "ppo", least=0.05, of="harder"),
        *checks(
            below("expert iteration does not get so far: from the base", "ei", "grpo", most=-0.05, of="share"),
            below("or from the last round", "online", "grpo", most=-0.05, of="share"),
            below("a KL keeps more of the other formats", "kl", "grpo", most=-0.05, of="share"),
            between("the large base can still gain", "grpo", least=0.3, most=0.7, of="before/reward"),
            between("so can the small one", "small-grpo", least=0.15, most=0.5, of="before/reward"),
            below("64 draws of the base do not solve all", "grpo", most=0.95, of="before/pass@64"),
        ),
    ],
)
