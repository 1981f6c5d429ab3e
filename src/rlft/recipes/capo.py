"""Credit of single tokens by a language model that criticises steps. After Xie et al. 2025, "CAPO: Towards Enhancing
LLM Reasoning through Verifiable Generative Credit Assignment", arXiv:2508.02298.

Chains of four to six operations on digits by a small character model whose teacher did most products wrongly; and a
small generative critic that reads question and row and says of each step whether it is wrong. It was taught by
annotators who err, so it passes wrong steps and blames right ones; how often is measured, and how often rows that it
finds clean are not. The arms are imitation of terse solutions, GRPO by the answer, and CAPO with one critique or four,
put together by each of the rules; besides them the rule that knows as the critic, CAPO without blame, and GRPO that is
paid by the critic in place of the answer.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.evidence.statistics import quarters
from rlft.methods.capo import capo as crediting
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.criticised import criticised

STEPS = 20

capo = recipe(criticised, crediting(), watch_kl=False, steps=STEPS, prompts=16, group=8, lr=5e-4, rows=None, every=10)


def on_the_way(metrics: Lines, evaluations: Lines) -> Numbers:
    """How a run went.

    half        held-out accuracy at its middle
    unsound     share of held-out rows that are right in the end though a step is wrong, or missing
    NAME/early  of training rows in the first quarter of the steps, and
    NAME/late   in the last: fooled, the share that the critic finds clean though they are not; missed, the share of
                wrong steps that are not blamed, and accused, of right ones that are
    NAME/grown  how much larger that is than at first
    """
    found = [line["reward"] for line in evaluations]
    told = {"half": found[len(found) // 2], "unsound": found[-1] - evaluations[-1]["sound"]}
    for name in ("fooled", "missed", "accused"):
        shares = [line.get(f"measure/{name}", 0.0) for line in metrics]  # none where no row is drawn
        shares = [share for share in shares if share == share] or [0.0]
        early, late = quarters(shares)
        told |= {f"{name}/early": early, f"{name}/late": late, f"{name}/grown": late - early}
    return told


_GRPO = grpo(beta=0.0)
# One critique, which is only looked at.
_PLAIN = {"votes": 1}
_FAST = {"lr": 8e-4}
CLAIM = Claim(
    sentence="A language model that criticises steps, and so gives credit token by token, makes reinforcement learning "
    "of reasoning better than the answer alone does, and than supervised fine-tuning; several critiques that vote are "
    "better than one.",
    source="Xie et al. 2025, arXiv:2508.02298",
    budget="20 updates on 16 questions with 8 answers each for every arm that draws; imitation takes as many of 128 "
    "solutions. Arms choose their learning rate from two, those of other rules have the larger "
    "one.",
    scaled_down="models of 0.1 million parameters for Llama-3 and Qwen2.5 of 1 to 7 billion and for a critic of 70 "
    "billion; chains of operations on digits for mathematics; a critic that was taught to criticise, by annotators "
    "who pass one wrong step in twelve and blame one right step in eight, for an off-the-shelf model that is asked "
    "to; terse solutions, the products and the answer, for people's. 2 for a right answer and 1 for a wrong step are "
    "those of a re-implementation. Held-out accuracy is of 450 questions, four answers each, at temperature 1; sound "
    "are rows with all steps right, by the rule that knows.",
    real="rlft train --model Qwen/Qwen2.5-7B-Instruct --data TRAIN.jsonl --chat --reward math "
    "\"served_critique(url='http://127.0.0.1:8000/v1', model='CRITIC', votes=4, rule='intersection')\" --method capo "
    "--prompts 128 --group 8 --max-new-tokens 4096 --lr 1e-6 --steps 300",
    metric="reward",
    table=(
        "sound",
        "unsound",
        "half",
        "wrong_step",
        "right_step",
        "fooled/early",
        "fooled/late",
        "missed/late",
        "accused/late",
        "told",
    ),
    shared=(),
    grid={"lr": (5e-4, 8e-4)},
    seeds=12,
    # the small critic writes on and on while it knows nothing; the world's tests ask it
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 4, "questions": 8, "by": "rule"},
    more=on_the_way,
    curve="reward",
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "sft": Arm("SFT on terse solutions", {"method": sft(), "prompts": 128, "group": 1, **_PLAIN}),
        "grpo": Arm("GRPO by the answer", {"method": _GRPO, **_PLAIN}),
        "tokens": Arm("CAPO without blame: GRPO, each token alike", {"method": crediting(penalty=0.0), **_PLAIN}),
        "one": Arm("CAPO, one critique", {"votes": 1}),
        "capo": Arm("CAPO, four critiques, intersection"),
        "majority": Arm("four, majority", {"rule": "majority", **_FAST}, grid={}, seeds=5),
        "average": Arm("four, average", {"rule": "average", **_FAST}, grid={}, seeds=5),
        "union": Arm("four, union", {"rule": "union", **_FAST}, grid={}, seeds=5),
        "rule": Arm("CAPO, the rule that knows as critic", {"by": "rule"}),
        "judged": Arm("GRPO, paid by the critic alone", {"method": _GRPO, "paid": "critic", "rule": "majority"}),
    },
    statements=[
        above("it is better than GRPO by the answer", "capo", "grpo", least=0.0),
        above("and than SFT on terse solutions", "capo", "sft", least=0.2),
        above("four critiques are better than one", "capo", "one", least=0.0),
        below("a wrong step becomes less likely than by the answer alone", "capo", "grpo", most=0.0, of="wrong_step"),
        *checks(
            between("the base is in the middle", "base", least=0.25, most=0.5),
            above("a critic that knows is better still", "rule", "capo", least=0.0),
            above("it is blame that helps, not that tokens count alike", "capo", "tokens", least=0.0),
            above("with one critique more right answers rest on wrong steps", "one", "grpo", least=0.02, of="unsound"),
            above("paid by the critic alone more and more rows fool it", "judged", least=0.1, of="fooled/grown"),
            below("and that is worse than the base", "judged", "base", most=-0.1),
        ),
    ],
)
# A base that has hardly begun is seldom right.
SMOKE = {"group": 8}
