"""SFT, then GRPO in stages by groups of tasks, on scenes seen from the air. After Guan et al. 2025, "UAV-VL-R1",
arXiv:2508.11196.

A small LLaVA whose tower knows what is on each plot of a picture, and which can think of what a question needs before
it answers. Eight kinds of questions in three groups: what a thing is, how many or how large, how things lie to each
other; the last need several things found and a judgement. Paid are the right word and the tags around thought and
answer. All arms have as many updates on the same problems; of the stages each has a share of the steps as large as its
share of the kinds, so that no kind is seen more often in one order than in another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import asked, measured, optioned
from rlft.runs.drive import Run
from rlft.runs.staged import Staged
from rlft.runs.stages import Learned, Stage
from rlft.tasks.aerial import GROUPS, KINDS
from rlft.worlds import World
from rlft.worlds.surveyed import Shown, of_group, surveyed

Order = Literal["none", "mixed", "staged", "reversed"]


def arranged(order: Order = "staged", taught: float = 0.25, sft_lr: float = 1e-3) -> tuple[Order, float, float]:
    """Imitation, then reinforcement learning in an order of tasks.

    Args:
        order: of the tasks that are learned by reward: mixed in one stage, in three by groups, these reversed; or none,
            where the run ends with the imitation.
        taught: the share of the steps that are imitation, in front.
        sft_lr: learning rate of the imitation.
    """
    return order, taught, sft_lr


def planned(made: World, chosen: Mapping[str, Any]) -> list[Stage]:
    """The stages: `sft`, and `mixed` or one for each group, of at least a step each."""
    order, taught, sft_lr = asked(arranged, chosen)
    steps, task = max(chosen["steps"], 1), made.train
    assert isinstance(task, Shown)
    first = max(round(taught * steps), order == "none")
    ways = {"none": [], "mixed": [("mixed", task, 1.0)], "staged": _groups(task), "reversed": _groups(task)[::-1]}
    numbers = {name: chosen[name] for name in ("prompts", "group", "lr", "rows")}
    stages: list[Stage] = (
        [Learned("sft", "base", sft(), task, made.reward, first, {**numbers, "lr": sft_lr})] if first else []
    )
    reached, done = 0.0, 0
    for name, part, share in ways[order]:
        reached += share * (steps - first)
        if count := round(reached) - done:
            parent = stages[-1].name if stages else "base"
            stages.append(Learned(name, parent, chosen["method"], part, made.reward, count, numbers))
        done = round(reached)
    return stages


def _groups(task: Shown) -> Sequence[tuple[str, Shown, float]]:
    """Each group's name, its problems, and its share of the kinds."""
    return [(name, of_group(task, name), len(kinds) / len(KINDS)) for name, kinds in GROUPS.items()]


@optioned(grpo(beta=0.0), surveyed, arranged, steps=160, prompts=8, group=8, lr=3e-4, rows=None, problems=None)
def uav_vl_r1(chosen: Mapping[str, Any]) -> Run:
    """Stages of one policy in the world of `surveyed`."""
    made = asked(surveyed, chosen)
    staged = Staged(made.policy, planned(made, chosen), seed=chosen["seed"], runtime=chosen["runtime"])
    return measured(staged, made, {"steps": staged.steps if chosen["steps"] else 0, "problems": chosen["problems"]})


SMOKE = {"order": "mixed", "taught": 0.0}

CLAIM = Claim(
    sentence="Reinforcement learning after SFT is better than SFT alone, and best in stages from recognising things to "
    "how they lie; SFT narrows what is answered, and reinforcement learning widens it again.",
    source="Guan et al. 2025, arXiv:2508.11196",
    budget="160 updates for every arm, on 8 answers shown or on 8 answers to each of 8 problems, of the same 960; "
    "where there are both a quarter is imitation, at 1e-3. Every arm chooses its learning rate from two.",
    scaled_down="a LLaVA of 0.45 million parameters whose tower was taught what is in each patch, for Qwen2-VL 2B; "
    "pictures of 32 by 32 pixels of sixteen plots; thoughts of a few words that name things and their plots, those "
    "that are imitated a program's that misses or mistakes three in ten things and is right all the same. RL has no "
    "KL. Metrics are those of 512 held-out pictures, four answers each at temperature 1; distinct is how many of the "
    "four differ.",
    real="rlft run stages --plan plan.toml --model Qwen/Qwen2-VL-2B-Instruct --chat --lora 64 --eval-data TEST.jsonl",
    metric="reward",
    table=("attribute", "object", "spatial", "format", "distinct"),
    shared=(),
    seeds=6,
    grid={"lr": (1e-4, 3e-4)},
    smoke={"steps": 4, "imitation": 4, "looks": 1, "prompts": 4, "group": 4, "held_out": 1, "pictures": 2},
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "sft": Arm("SFT", {"order": "none", "taught": 1.0}, grid={"sft_lr": (3e-4, 1e-3)}),
        "start": Arm("the SFT that is in front of GRPO", {"order": "none"}, grid={}),
        "grpo": Arm("GRPO on the mix, no SFT", {"order": "mixed", "taught": 0.0}),
        "mixed": Arm("SFT, then GRPO on the mix", {"order": "mixed"}, seeds=8),
        "staged": Arm("SFT, then GRPO in three stages", {"order": "staged"}, seeds=8),
        "reversed": Arm("the same three stages, the last first", {"order": "reversed"}, seeds=8),
    },
    statements=[
        above("GRPO adds to the SFT in front of it", "mixed", "start", least=0.05),
        above("also in stages", "staged", "start", least=0.05),
        above("and more than SFT of as many updates", "mixed", "sft", least=0.0),
        above("in stages it is better than on the mix", "staged", "mixed", least=0.01),
        below("SFT narrows what is answered", "start", "base", most=-0.5, of="distinct"),
        above("GRPO widens it again", "staged", "start", least=0.05, of="distinct"),
        *checks(
            above("GRPO needs the SFT in front", "mixed", "grpo", least=0.0),
            between("the order of the stages makes no difference", "staged", "reversed", least=-0.02, most=0.02),
            above("the first stages are forgotten", "mixed", "staged", least=0.03, of="object"),
            above("how things lie is better learned last than first", "staged", "reversed", least=0.0, of="spatial"),
        ),
    ],
)
