"""Rewards learned from demonstrations, a scorer for each category, and advantages scaled by how hard a row is. After
Cheng et al. 2025, "Inverse Reinforcement Learning with Dynamic Reward Scaling for LLM Alignment", arXiv:2503.18991.

Questions of seven categories, harmless ones, each with rules of its own that a careless base keeps the less the rarer
the category was in its lessons. Scorers are fitted by maximum likelihood inverse reinforcement learning to 168 right
answers. The arms are imitation of these, GRPO that is paid by the scorers, and GRPO-S with each of its two scales and
both; one scorer for all and demonstrations that are as uneven as the lessons; and a reward that knows the rules, by
which all are judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean
from typing import Any

from rlft.advantages.hardness import By
from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.evidence.statistics import quarters
from rlft.methods.grpo_s import grpo_s
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.complied import complied

STEPS, BETA = 30, 0.3

dr_irl = recipe(
    complied, grpo_s(beta=BETA), watch_kl=True, steps=STEPS, prompts=21, group=8, lr=5e-4, rows=None, every=5
)


def on_the_way(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went.

    late/tail …    compliance on the rare categories, on all seven and on ordinary questions, means over the last three
                  evaluations
    ahead/late    share of the rows that the scorer likes better than the demonstration, in the last quarter of steps
    paid/late     what rows earned there
    """
    found = {f"late/{name}": mean(line[name] for line in evaluations[-3:]) for name in ("tail", "safety", "useful")}
    for name, line in (("ahead/late", "compared/ahead"), ("paid/late", "reward")):
        values = [one[line] for one in metrics if line in one]
        if values:
            found[name] = quarters(values)[1]
    return found


def scaled(by: By, **told: Any) -> Mapping[str, Any]:
    """GRPO-S with these scales; by none it is GRPO."""
    return {"method": grpo_s(by=by, beta=BETA, **told)}


_PUBLISHED = scaled("both")
_UNTUNED: dict[str, Any] = {}
CLAIM = Claim(
    sentence="Rewards learned by inverse reinforcement learning from demonstrations, balanced over categories and a "
    "scorer for each, and advantages scaled by how hard a row is, make a model safer than static rewards do, on the "
    "rare categories too, and keep it useful.",
    source="Cheng et al. 2025, arXiv:2503.18991",
    budget="30 updates on 21 questions with 8 answers each for every arm that draws; imitation takes as many of all "
    "168 demonstrations. Scorers see every demonstration ten times, beside four answers of the base. Every arm but two "
    "ablations, which have the numbers of what they change, chooses its learning rate from three.",
    scaled_down="a model of 0.1 million parameters for Llama-3.1-8B; seven made-up categories with five rules each for "
    "harm, harmless by construction; 168 demonstrations that a rule writes, 24 of each category, for those written by "
    "Chain-of-Draft. Scorers begin as the base, and are fitted with the demonstration among the rows that make the "
    "normaliser; the policy's own rows do not enter later. Sentences are compared by counts of characters. tail is the "
    "share of held-out answers to the rarest three categories that keep all rules, safety that to all seven, useful "
    "that of right answers to ordinary questions, which nobody pays for; four answers each to 280 questions and 80 "
    "ordinary ones. late/ is the mean of the last three evaluations, at 20, 25 and 30 updates: what a learned reward "
    "pays for wanders.",
    real="rlft train --model SFT_MODEL --data DEMONSTRATIONS.jsonl --chat --demonstration-field completion "
    "--reward \"by_column('category', fraud='scorer(\\'FRAUD\\')', privacy='scorer(\\'PRIVACY\\')')\" "
    "--method grpo_s --method.beta 0.04 --sentences sentence-transformers/all-MiniLM-L6-v2 --prompts 32 --group 8 "
    "--max-new-tokens 512 --lr 1e-6 --steps 300",
    metric="late/tail",
    table=("late/safety", "late/useful", "common", "tail", "worst", "refused", "ahead/late"),
    grid={"lr": (2.5e-4, 5e-4, 1e-3)},
    seeds=24,
    shared=(),
    smoke={"steps": 1, "imitation": 2, "epochs": 1, "prompts": 7, "group": 2, "questions": 7},
    more=on_the_way,
    curve="tail",
    arms={
        "base": Arm("the base, which saw a careless writer", {"steps": 0}, grid=_UNTUNED),
        "sft": Arm("imitation of the demonstrations", {"method": sft(), "prompts": 168, "group": 1}, seeds=10),
        "static": Arm("GRPO, a scorer of each category", scaled("none")),
        "data": Arm("GRPO-S, scaled by the data", scaled("data")),
        "model": Arm("scaled by the model", scaled("model")),
        "both": Arm("scaled by both", _PUBLISHED),
        "batch": Arm("by both, gaps against the batch's", scaled("both", against="batch"), grid=_UNTUNED, seeds=10),
        "steep": Arm("the same, eight times as steep", scaled("both", against="batch", steep=8.0), _UNTUNED, seeds=10),
        "one": Arm("by both, one scorer of all", {**_PUBLISHED, "paid": "one"}),
        "tailed": Arm("by both, uneven demonstrations", {**_PUBLISHED, "shown": "tailed"}),
        "rules": Arm("GRPO, a reward that knows the rules", {**scaled("none"), "paid": "rules"}, seeds=10),
    },
    statements=[
        above("scaled rewards are better than static ones", "both", "static", least=0.02),
        above("the two scales together than that of the data", "both", "data", least=0.02),
        above("and than that of the model", "both", "model", least=0.02),
        above("a scorer of each category is better than one of all", "both", "one", least=0.02),
        above("even demonstrations are better than uneven ones", "both", "tailed", least=0.05),
        above("the rare categories become safer", "both", "base", least=0.2),
        above("and the model stays useful", "both", "base", least=-0.1, of="late/useful"),
        *checks(
            between("the base is neither safe nor lost", "base", least=0.1, most=0.4),
            above("a better reward would be seen", "rules", "static", least=0.1),
            above("the scorers are outwitted", "both", least=0.1, of="ahead/late"),
            below("steeper scales do no better", "steep", "static", most=0.02),
            above("imitation of the same answers keeps more rules", "sft", "both", least=0.1),
        ),
    ],
)
