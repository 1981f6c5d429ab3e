"""GRPO on problems of all levels, then Pre-GRPO on hard ones. After Zhu et al. 2025, "DRIVE", arXiv:2511.06307.

Small Python programs that do to a list what words say, run against their test in a jail. One problem in eight is hard,
with two or three of the operations that the base seldom knows, so most of its groups of eight rows are all wrong. In
the second stage a step has as many rollouts as in the first, 8 problems of 64 in place of 64 of 8, of hard problems of
the same pool; after each of three phases those that are solved are left out. The arms: one stage for all steps, the
hard stage first, without the focus, and with groups of eight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from rlft.errors import UserError
from rlft.evidence.claim import Arm, Claim, Lines, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.pre_grpo import pre_grpo
from rlft.options.learning import Learning, numbers_of
from rlft.recipes import asked, measured, optioned
from rlft.runs.drive import Run
from rlft.runs.staged import Staged
from rlft.runs.stages import Learned
from rlft.worlds import World
from rlft.worlds.programmed import hardest, programmed

Order = Literal["uniform", "staged", "reversed"]


def curriculum(
    order: Order = "staged",
    share: float = 0.5,
    many: int = 64,
    hard: int = 40,
    phases: int = 3,
    below: float = 0.5,
    hard_lr: float = 1.0,
    warmup: int = 5,
) -> tuple[Order, float, int, int, int, float, float, int]:
    """Problems of all levels, then hard ones.

    Args:
        order: of the stages; in the uniform one there is no other.
        share: of the steps that are the uniform stage's.
        many: rollouts of each hard problem; a step has as many rows as in the uniform stage.
        hard: how many hard problems there are to learn from.
        phases: of the hard stage, after each of which what is solved is left out; with one nothing is.
        below: a hard problem is kept if fewer of its rows, as a share, solve it.
        hard_lr: the learning rate of the hard stage, in units of the other's.
        warmup: steps of each stage over which its learning rate rises.
    """
    return order, share, many, hard, phases, below, hard_lr, warmup


def planned(made: World, chosen: Mapping[str, Any]) -> list[Learned]:
    """The stages: `uniform` and `hard`."""
    order, share, many, hard, phases, below, hard_lr, warmup = asked(curriculum, chosen)
    steps, rows = max(chosen["steps"], 1), chosen["prompts"] * chosen["group"]
    if rows % many:
        raise UserError(f"a step of {rows} rollouts has no whole number of groups of {many}")
    # Each stage has an optimiser of its own, whose first steps are as large as any where nothing holds them back.
    numbers = Learning(warmup=warmup, kl=False, **{name: chosen[name] for name in ("prompts", "group", "lr", "rows")})
    first = steps if order == "uniform" else round(share * steps)
    focus = pre_grpo(max((steps - first) // phases, 1), phases, below)
    few = replace(numbers, prompts=rows // many, group=many, lr=chosen["lr"] * hard_lr)
    parts = {
        "uniform": (chosen["method"], made.train, first, numbers),
        "hard": (focus, hardest(made.train, hard), steps - first, few),
    }
    stages: list[Learned] = []
    for name in ("uniform", "hard") if order != "reversed" else ("hard", "uniform"):
        method, task, count, told = parts[name]
        if count:
            parent = stages[-1].name if stages else "base"
            stages.append(Learned(name, parent, method, task, made.reward, count, numbers_of(told)))
    return stages


@optioned(grpo(beta=0.0), programmed, curriculum, steps=30, prompts=64, group=8, lr=1e-3, rows=None, problems=None)
def drive(chosen: Mapping[str, Any]) -> Run:
    """Two stages of one policy in the world of `programmed`."""
    made = asked(programmed, chosen)
    staged = Staged(made.policy, planned(made, chosen), seed=chosen["seed"], runtime=chosen["runtime"])
    steps = staged.steps if chosen["steps"] else 0
    return measured(staged, made, {"steps": steps, "problems": chosen["problems"]})


def by_stage(metrics: Lines, evaluations: Lines) -> dict[str, float]:
    """`entropy-change`, from the first step of the uniform stage to its last two, in nats a token; of the hard stage
    `informative`, the share of its groups whose rows differ, and `kept`, its problems at the end."""
    uniform = [line["entropy"] for line in metrics if "focus/problems" not in line]
    hard = [line for line in metrics if "focus/problems" in line]
    found: dict[str, float] = {}
    if uniform:
        found["entropy-change"] = sum(uniform[-2:]) / len(uniform[-2:]) - uniform[0]
    if hard:
        found["informative"] = sum(line["focus/informative"] for line in hard) / len(hard)
        found["kept"] = hard[-1]["focus/problems"]
    return found


# A base that has hardly begun is right now and then, at the easiest problems alone.
SMOKE = {"order": "uniform"}

CLAIM = Claim(
    sentence="GRPO on a large mixed set and then, with many rollouts each, on a few hard problems of which the hardest "
    "are kept throughout, solves hard programming problems that one stage does not.",
    source="Zhu et al. 2025, arXiv:2511.06307",
    budget="30 updates on 512 rollouts each for every arm, of programs for the same 512 problems, 40 of them in the "
    "hard stage; stages halve the updates. Every arm chooses its learning rate from two.",
    scaled_down="a decoder of 0.4 million parameters with a token for each line, for Qwen2.5-32B; programs of one to "
    "five operations on lists, taught by a teacher with gaps, for SFT and competitive programming; 40 hard problems; "
    "no longer answers in one stage than in the other. Metrics are those of held-out problems, eight answers each at "
    "temperature 1: hard is the share of right programs for levels 4 and 5, hard/any that of their problems with a "
    "right one among eight.",
    real="rlft run stages --plan drive.toml --model Qwen/Qwen2.5-32B-Instruct --chat --max-new-tokens 4096 --lora 64 "
    "--eval-data test.jsonl",
    metric="hard",
    table=("hard/any", "hard/mixed", "level-5", "level-2", "informative", "kept", "entropy-change"),
    grid={"lr": (7e-4, 1e-3)},
    seeds=8,
    smoke={"steps": 3, "imitation": 60, "prompts": 4, "group": 8, "held_out": 6, "many": 16, "questions": 96}
    | {"hard": 4, "warmup": 0},
    more=by_stage,
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "one": Arm("one stage: GRPO on all problems", {"order": "uniform"}),
        "drive": Arm("GRPO on all, then Pre-GRPO on hard ones, 64 rollouts", {}),
        "reversed": Arm("the same stages, the hard one first", {"order": "reversed"}),
        "random": Arm("without the focus: any of the hard ones to the end", {"phases": 1}),
        "small": Arm("with the focus, 8 rollouts", {"many": 8}),
    },
    statements=[
        above("two stages are better on hard problems than one", "drive", "one", least=0.05),
        above("they reach more of them", "drive", "one", least=0.0, of="hard/any"),
        above("the order matters: the hard stage is the second", "drive", "reversed", least=0.0),
        above("it matters that the hardest are kept", "drive", "random", least=0.0),
        above("of groups of 64 more are informative than of 8", "drive", "small", least=0.2, of="informative"),
        *checks(
            below("the base seldom solves them", "base", most=0.1, of="hard"),
            between("groups of 8 do as well for as many rollouts", "small", "drive", least=-0.05, most=0.05),
            above("what is easy is not lost", "drive", "one", least=-0.03, of="level-2"),
            below("the stage on all problems narrows what is answered", "drive", most=0.0, of="entropy-change"),
        ),
    ],
)
