"""Reinforcement learning where no rule can compare answers. After Su et al. 2025, "Crossing the Reward Bridge:
Expanding RL with Verifiable Rewards Across Diverse Domains", arXiv:2503.23829.

Sums whose answers can be written in several ways, of which the reference has one: `twelve cm`, `120 mm`, two numbers in
either order; besides them plain counts, which can be written in one way alone. The arms are paid by a rule, the
reference word for word; by a small generative verifier, which was distilled from a stronger judge's verdicts, its yes
or its probability of yes; or by the oracle, which knows all ways; by REINFORCE, RLOO and REINFORCE++. Judged are
held-out answers by the oracle, and how many of them the verifier takes that are wrong.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.evidence.statistics import quarters
from rlft.methods.reinforce import reinforce
from rlft.methods.reinforce_pp import reinforce_pp
from rlft.methods.rloo import rloo
from rlft.recipes import recipe
from rlft.worlds.freeform import freeform

rlvr_domains = recipe(freeform, rloo(), watch_kl=False, steps=40, prompts=24, group=8, lr=5e-4, rows=None, every=0)


def on_the_way(metrics: Lines, evaluations: Lines) -> Numbers:
    """`fooled/early` and `fooled/late`: the share of training rows that the verifier takes though they are wrong, in
    the first and in the last quarter of the steps; and how much larger the later share is, as `fooled/grown`."""
    shares = [line["measure/fooled"] for line in metrics]
    if not shares:
        return {"fooled/early": 0.0, "fooled/late": 0.0, "fooled/grown": 0.0}
    early, late = quarters(shares)
    return {"fooled/early": early, "fooled/late": late, "fooled/grown": late - early}


CLAIM = Claim(
    sentence="Where answers are in free form, a small generative verifier with a reference, distilled from a stronger "
    "judge, is a better reward than a rule, by any of three methods; soft scores are as good as binary ones; and where "
    "a rule can compare answers the two are alike.",
    source="Su et al. 2025, arXiv:2503.23829",
    budget="40 updates on 24 problems with 8 answers each for every arm. Arms choose their learning rate from three.",
    scaled_down="models of 0.1 million parameters for Qwen2.5-7B and for one of 7 billion, and an oracle that errs "
    "one time in ten, the majority of three, for a judge of 72 billion; the verifier has seen answers of the base's "
    "teacher and texts at random, not those of reinforcement learning, and is shown the reference and the answer "
    "without the question; three kinds of sums for domains. Metrics are of 240 held-out problems, four answers "
    "each, drawn at temperature 1, judged by the oracle: free is their accuracy on the two kinds in free form, count "
    "that on plain counts, fooled the share of all that the verifier takes though they are wrong.",
    real="rlft train --model Qwen/Qwen2.5-7B --data TRAIN.jsonl --chat --reward \"verifier('VERIFIER', "
    "prompt='verify.txt', yes='YES', no='NO', normalise='batch')\" --method reinforce_pp --prompts 128 --group 4 "
    "--max-new-tokens 2048 --lr 5e-7",
    metric="free",
    table=("reward", "count", "kept", "fooled", "missed", "fooled/early", "fooled/late", "fooled/grown"),
    grid={"lr": (3e-4, 5e-4, 1e-3)},
    seeds=24,
    smoke={"steps": 1, "imitation": 2, "judged": 2, "prompts": 4, "group": 4, "held_out": 6},
    more=on_the_way,
    curve="measure/fooled",
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "rule": Arm("the rule, RLOO", {"paid": "rule"}),
        "binary": Arm("the verifier's yes, RLOO", {"paid": "binary"}),
        "soft": Arm("its probability of yes, RLOO", {}),
        "rule_reinforce": Arm("the rule, REINFORCE", {"paid": "rule", "method": reinforce()}),
        "soft_reinforce": Arm("soft, REINFORCE, z-scores", {"scaled": "batch", "method": reinforce()}),
        "rule_pp": Arm("the rule, REINFORCE++", {"paid": "rule", "method": reinforce_pp()}),
        "soft_pp": Arm("soft, REINFORCE++", {"method": reinforce_pp()}),
        "oracle": Arm("the oracle, RLOO", {"paid": "oracle"}),
        "narrow": Arm("soft, RLOO, a verifier that saw the teacher's answers alone", {"seen": "teacher"}),
    },
    statements=[
        above("in free form a verifier is better than a rule, by RLOO", "soft", "rule", least=0.03),
        above("by REINFORCE", "soft_reinforce", "rule_reinforce", least=0.03),
        above("by REINFORCE++", "soft_pp", "rule_pp", least=0.03),
        above("also one that says yes or no", "binary", "rule", least=0.03),
        between("soft scores are as good as binary ones", "soft", "binary", least=-0.05, most=0.05),
        between("where a rule can compare the two are alike", "soft", "rule", least=-0.03, most=0.03, of="count"),
        *checks(
            above("there is something to learn", "oracle", "base", least=0.1),
            below("the rule does learn the way that texts are compared", "base", "rule", most=0.0, of="kept"),
            below("the oracle's reward would be better still", "soft", "oracle", most=0.0),
            above("one that saw no exploration is fooled more", "narrow", "soft", least=0.0, of="fooled"),
            above("the verifier is fooled more as training goes on", "soft", least=0.0, of="fooled/grown"),
        ),
    ],
)
