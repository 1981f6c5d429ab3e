"""A compact set of data that models write and validate, and what the validation is worth. After "CHIMERA: Compact
Synthetic Data for Generalizable LLM Reasoning", 2026, arXiv:2603.00889.

A writer makes problems with workings for twelve topics of a tree; 15 in a hundred cannot be solved, of 15 the answer is
wrong. Each arm has 480 problems that were kept: by nobody, by one validator, by two or three that judge apart, by two
of one mind, or by one who knows. A student that knows half of the topics badly imitates their workings, as often
whatever was kept. Besides them two validators' problems spread as the writer likes the topics, and both more imitation
and reinforcement learning on the same problems after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import asked, measured, optioned
from rlft.runs.drive import Run
from rlft.runs.staged import Staged
from rlft.runs.stages import Learned, Stage
from rlft.worlds import World
from rlft.worlds.synthesised import synthesised

STEPS, MORE = 200, 60


def arranged(after: int = 0, sft_lr: float = 2e-3) -> tuple[int, float]:
    """Imitation alone, or something after it.

    Args:
        after: of the steps, those at the end that are the method's; the others are imitation, 64 rows each.
        sft_lr: learning rate of the imitation that something comes after.
    """
    return after, sft_lr


def planned(made: World, chosen: Mapping[str, Any]) -> list[Stage]:
    """`sft` of 64 rows a step, and what comes after it."""
    after, sft_lr = asked(arranged, chosen)
    numbers = {name: chosen[name] for name in ("prompts", "group", "lr", "rows")}
    first = {**numbers, "prompts": min(64, 4 * chosen["prompts"]), "group": 1, "lr": sft_lr if after else chosen["lr"]}
    steps = max(chosen["steps"] - after, 1)
    stages: list[Stage] = [Learned("sft", "base", sft(), made.train, made.reward, steps, first)]
    if after:
        stages.append(Learned("after", "sft", chosen["method"], made.train, made.reward, after, numbers))
    return stages


@optioned(sft(), synthesised, arranged, steps=STEPS, prompts=64, group=1, lr=1e-3, rows=None, problems=None)
def chimera(chosen: Mapping[str, Any]) -> Run:
    """Stages of one policy in the world of `synthesised`."""
    made = asked(synthesised, chosen)
    staged = Staged(made.policy, planned(made, chosen), seed=chosen["seed"], runtime=chosen["runtime"])
    return measured(staged, made, {"steps": staged.steps if chosen["steps"] else 0, "problems": chosen["problems"]})


_AFTER = {"steps": STEPS + MORE, "after": MORE}
_RL = {**_AFTER, "method": grpo(beta=0.0), "prompts": 16, "group": 8}

CLAIM = Claim(
    sentence="Problems that a strong model writes for the topics of a tree, kept where two others both take them for "
    "well posed and right, are a small set of data that makes a student much better; reinforcement learning on them "
    "adds a little.",
    source="CHIMERA, 2026, arXiv:2603.00889",
    budget="200 steps of 64 workings of 480 problems for every arm; after them 60 more, or 60 of reinforcement "
    "learning on 16 of the problems with 8 answers each. Every arm chooses its learning rate from two.",
    scaled_down="chains of two to four operations on digits for subjects of science; twelve topics for a thousand, 480 "
    "problems for nine thousand; a character model of 0.1 million parameters for a Qwen3 of 4 billion. Writer and "
    "validators are rules with known chances for the strongest models there are: 15 problems in a hundred cannot be "
    "solved, 15 are wrong, a validator takes 40 in a hundred as they are and slips in 3 totals in a hundred that it "
    "works out. Held-out accuracy is that of 480 questions, 40 of each topic, four answers each, at temperature 1; "
    "known and new are of topics that the student has seen and has not, rare of the half that the writer likes least; "
    "he writes for the k-th topic that he likes in 1/k of the cases, and where he likes few in 1/k**2.",
    real="rlft make-data --taxonomy TOPICS.json --topics 128 --problems 9 --writer \"served(url='https://HOST/v1', "
    "model='WRITER')\" --check \"served(url='https://HOST/v1', model='ONE')\" --check \"served(url='https://HOST/v1', "
    "model='OTHER')\" --solver \"served(url='https://HOST/v1', model='REASONER', max_tokens=65536)\" --unseen "
    "BENCHMARK.jsonl --out DATA",
    metric="reward",
    table=("known", "new", "rare", "data/precision", "data/wrong", "data/ill", "data/recall", "data/written"),
    shared=(),
    grid={"lr": (1e-3, 2e-3)},
    seeds=12,
    smoke={"steps": 1, "imitation": 2, "count": 24, "prompts": 4, "questions": 12},
    arms={
        "base": Arm("the student before", {"steps": 0}, grid={}),
        "raw": Arm("what was written", {"kept_by": "none"}),
        "one": Arm("what one validator takes", {"kept_by": "one"}, seeds=24),
        "two": Arm("what two take", seeds=24),
        "three": Arm("what three take", {"kept_by": "three"}),
        "twins": Arm("what two of one mind take", {"kept_by": "twins"}),
        "oracle": Arm("what is well posed and right", {"kept_by": "oracle"}),
        "liked": Arm("what two take, as the writer likes the topics", {"liking": 1.0}, seeds=24),
        "fond": Arm("what two take, of a writer who likes few", {"liking": 2.0}, seeds=24),
        "more": Arm("two's, and imitated further", _AFTER, grid={"lr": (5e-4, 1e-3)}),
        "rl": Arm("two's, and reinforced", _RL, grid={"lr": (1e-4, 3e-4)}),
    },
    statements=[
        above("the student becomes much better", "two", "base", least=0.1),
        above("two validators' problems teach more than raw ones", "two", "raw", least=0.05),
        above("and than one's", "two", "one", least=0.01),
        above("reinforcement learning adds to it what more imitation does not", "rl", "more"),
        above("they keep fewer bad ones than one does", "two", "one", least=0.03, of="data/precision"),
        above("topics that are spread evenly teach the rarer ones better", "two", "fond", least=0.03, of="rare"),
        *checks(
            between("the student is in the middle", "base", least=0.1, most=0.6),
            between(
                "what is kept has the share of bad ones that the formula says",
                "two",
                least=0.91,
                most=0.96,
                of="data/precision",
            ),
            between("two of one mind keep what one does", "twins", "one", least=0.0, most=0.0, of="data/precision"),
            above("who knows what is good teaches no less", "oracle", "two", least=-0.02),
            above("the more so the fewer the writer likes", "liked", "fond", least=0.0, of="rare"),
            above("a third validator keeps fewer yet", "three", "two", least=0.02, of="data/precision"),
            below("it costs good problems", "two", most=0.95, of="data/recall"),
        ),
    ],
)
