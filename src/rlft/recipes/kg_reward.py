"""Rewards read off the paths of a knowledge graph. After Kansal and Jha 2026, "Knowledge Graphs are Implicit Reward
Models: Path-Derived Signals Enable Compositional Reasoning", arXiv:2601.15160.

A small model that knows a graph of 24 entities by heart, and was shown by a careless teacher how questions with four
options are answered, is reinforced on questions of one to three hops and tested on four and five. The arms are paid for
the option, 0.1 or -1 as published, which alone is 1 or 0 to a method that compares rows by z-scores; for the words of
the path that its thought names; for both; or for the path where the option is right. Besides them imitation of paths
and options, which knows as much as the path's reward does. What the path's reward can be had for is measured by the
graph: words that are named without telling the path.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.evidence.statistics import quarters
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.hopping import hopping

STEPS = 30
# Of what pays for the option: whether five hops are found at all differs from seed to seed.
MANY = 72

kg_reward = recipe(
    hopping, grpo(beta=0.0), watch_kl=False, steps=STEPS, prompts=16, group=8, lr=5e-4, rows=None, every=10
)


def on_the_way(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went.

    half           held-out accuracy on four and five hops at its middle
    moved          accuracy in the given order less that in another
    spelled/late   share of training rows that name all of the path's words and do not tell it, in the last quarter of
                   the steps, and
    spelled/grown  how much larger that is than in the first
    """
    last = evaluations[-1]
    shares = [line["measure/spelled"] for line in metrics if "measure/spelled" in line] or [0.0]  # of rows drawn
    early, late = quarters(shares)
    half = evaluations[len(evaluations) // 2]["far"]
    return {
        "half": half,
        "moved": last["reward"] - last["reordered"],
        "spelled/late": late,
        "spelled/grown": late - early,
    }


_PAID = {name: {"paid": name} for name in ("outcome", "path", "both", "gated")}
CLAIM = Claim(
    sentence="Rewards read off the paths of a knowledge graph, beside the answer's, let a model that was trained on "
    "short paths answer questions of longer ones, better than the answer's reward alone, the path's alone, or "
    "the supervised model that they begin with; also where options stand in another order.",
    source="Kansal and Jha 2026, arXiv:2601.15160",
    budget="30 updates on 16 questions with 8 answers each for every arm that draws; imitation takes as many of 128 "
    "paths with their options. Every arm chooses its learning rate from two.",
    scaled_down="a model of 0.1 million parameters for Qwen3-14B; a graph of 24 entities and 4 relations for a medical "
    "one, all of which it has learned, and to walk on it up to five hops where it is asked for the walk alone; "
    "questions of one to five hops by a careless teacher, who seldom walks far, for supervised fine-tuning on chains "
    "of one to three; options by name, without letters; groups of 8 for 2, no KL. The path's reward is the published "
    "code's. far is held-out accuracy on questions of four and five hops, near on one to three, four answers each to "
    "400 questions, at temperature 1; reordered that of one answer to half of them with options in another order; "
    "spelled the share of rows that name all of the path's words without telling it, ignored of those that tell it and "
    "choose another option.",
    real='rlft train --model SFT_MODEL --data train.jsonl --chat --reward "choice(right=0.1, wrong=-1.0)" '
    "\"path(column='path')\" --method grpo --method.beta 0.05 --prompts 32 --group 2 --max-new-tokens 896 --lr 8e-6 "
    "--steps 300",
    metric="far",
    table=("near", "hops-4", "hops-5", "half", "reordered", "moved", "connected", "spelled", "ignored", "words"),
    shared=(),
    grid={"lr": (3e-4, 5e-4)},
    seeds=12,
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 4, "questions": 10},
    more=on_the_way,
    curve="far",
    arms={
        "base": Arm("the base, which saw a careless teacher", {"steps": 0}, grid={}),
        "sft": Arm("SFT on paths and options of one to three", {"method": sft(), "prompts": 128, "group": 1}),
        "outcome": Arm("GRPO, the option, 0.1 or -1", _PAID["outcome"], seeds=MANY),
        "path": Arm("the path alone", _PAID["path"]),
        "both": Arm("the option, 0.1 or -1, and the path", _PAID["both"], seeds=MANY),
        "gated": Arm("both, the path where the option is right", _PAID["gated"], seeds=MANY),
    },
    statements=[
        above("on four and five hops both are better than the option alone", "both", "outcome", least=0.02),
        above("and than the path alone", "both", "path", least=0.02),
        above("and than the supervised model that they begin with", "both", "base", least=0.2),
        above("they hold where options stand in another order", "both", least=-0.05, of="moved"),
        *checks(
            between("the base can hardly do it", "base", least=0.1, most=0.3),
            above("the path alone is learned for its words", "path", "base", least=0.1, of="covered"),
            above("it has right paths with wrong options", "path", "both", least=0.05, of="ignored"),
            below("words are hardly named without their path", "path", most=0.05, of="spelled"),
            between("imitation of as many paths does as well", "sft", "both", least=-0.1, most=0.1),
            above("to pay the path only where the option is right is no better", "both", "gated", least=0.0),
        ),
    ],
)
