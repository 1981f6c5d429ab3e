"""A light classifier of plain against original text as the reward. After Ragab et al. 2024, "Health Text
Simplification: An Annotated Corpus for Digestive Cancer Education and Novel Strategies for Reinforcement Learning",
arXiv:2401.15043.

Medical sentences to be put plainly, by a model that was shown two hundred pairs. The arms go on with the pairs, or
learn from sentences alone by PPO: paid by readability and likeness to the source, or by a small classifier that was
fitted to the two sides of the same pairs, with and without a term for facts and the KL to the start. Judged are
held-out sentences by SARI against references, and what the policy leaves out or leaves hard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.evidence.statistics import quarters
from rlft.methods.ppo import ppo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.simplified import simplified

_PPO = ppo(beta=0.02, epochs=2)

health_text_simplification = recipe(
    simplified, _PPO, watch_kl=False, steps=30, prompts=64, group=2, lr=5e-4, rows=None, every=0
)


def on_the_way(metrics: Lines, evaluations: Lines) -> Numbers:
    """`facts/lost`: how much smaller the share of facts told is in the last quarter of the steps than in the first."""
    told = [line["measure/facts"] for line in metrics if "measure/facts" in line]
    if not told:
        return {"facts/lost": 0.0}
    early, late = quarters(told)
    return {"facts/lost": early - late}


def _paid(**settings: Any) -> Mapping[str, Any]:
    return {"method": _PPO, **settings}


CLAIM = Claim(
    sentence="A light classifier that tells plain from original sentences is a better reward for simplification than a "
    "formula of readability and likeness, and reinforcement learning with it on text without simplifications is better "
    "than fine-tuning on the pairs alone.",
    source="Ragab et al. 2024, arXiv:2401.15043",
    budget="30 batches of 128 rows for every arm, drawn or imitated, two passes each. Arms choose the weight of the KL "
    "to the start from three, imitation its learning rate.",
    scaled_down="models of 0.1 million parameters for Llama 2 of 7 to 70 billion and for the classifier; sentences of "
    "a grammar, hard in seven places of ten, for texts on cancer; 200 pairs whose annotators leave half of that as it "
    "is, for 1,183; likeness by counts of words for that by embeddings. SARI is of each sentence, its mean over 160 "
    "held-out ones, two answers each at temperature 1, against references that are plain in every place.",
    real="rlft train --model MODEL --data SENTENCES.jsonl --chat --reward "
    "\"classifier('CLASSIFIER', label='plain', reads='completion')\" \"mentions(column='facts')\" "
    "--reward-weights 1 0.5 --method ppo --method.beta 0.05 --prompts 64 --group 2 --max-new-tokens 256 --lr 1e-6",
    metric="reward",
    table=("corpus", "facts", "told", "hard", "grade", "plain", "words", "facts/lost"),
    grid={"method.beta": (0.03, 0.1, 0.3)},
    seeds=10,
    shared=(),
    smoke={"steps": 1, "imitation": 2, "tuning": 1, "epochs": 1, "prompts": 4, "held_out": 4},
    more=on_the_way,
    curve="reward",
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "sft": Arm(
            "fine-tuning on the pairs",
            {"method": sft(epochs=2), "shown": "pairs", "prompts": 128, "group": 1},
            grid={"lr": (1e-4, 2e-4, 5e-4)},
        ),
        "formula": Arm("readability and likeness", _paid(paid="formula")),
        "classifier": Arm("the classifier's log-odds", _paid()),
        "probability": Arm("its probability", _paid(paid="probability"), seeds=5),
        "content": Arm("its log-odds, and the facts", _paid(content=0.5)),
        "free": Arm("its log-odds, no KL", {"method": ppo(beta=0.0, epochs=2)}, grid={}, seeds=5),
        "formula_content": Arm("the formula, and the facts", _paid(paid="formula", content=0.5), seeds=5),
        "oracle": Arm("SARI itself, which nobody has", _paid(paid="sari")),
    },
    statements=[
        above("the classifier is a better reward than the formula", "classifier", "formula", least=0.0),
        above("and better than fine-tuning on the pairs", "classifier", "sft", least=0.02),
        above("text without simplifications improves the base", "classifier", "base", least=0.02),
        *checks(
            between("the base is in the middle", "base", least=0.6, most=0.9),
            above("a better reward would be seen", "oracle", "classifier", least=0.02),
            below("it leaves less hard than fine-tuning does", "classifier", "sft", most=-0.05, of="hard"),
            below("its log-odds without a KL are exploited: facts go", "free", "classifier", most=-0.2, of="facts"),
            above("while the classifier is as content", "free", "classifier", least=-0.05, of="plain"),
            between("with a KL a term for facts changes little", "content", "classifier", least=-0.05, most=0.05),
            above("log-odds are as good as probabilities", "classifier", "probability", least=-0.03),
        ),
    ],
)
