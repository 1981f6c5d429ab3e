"""GRPO on problems of all kinds, then Pre-GRPO on hard ones. After DRIVE, 2025, arXiv:2511.06307."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from rlft.errors import UserError
from rlft.evidence.claim import Arm, Claim, above
from rlft.methods.grpo import grpo
from rlft.methods.pre_grpo import pre_grpo
from rlft.options.learning import Learning, numbers_of
from rlft.recipes import asked, measured, optioned
from rlft.runs.drive import Run
from rlft.runs.staged import Staged
from rlft.runs.stages import Learned
from rlft.tasks.lists import HARD, Lists
from rlft.worlds import World
from rlft.worlds.programmed import programmed

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
        "hard": (focus, Lists(HARD, hard), steps - first, few),
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


CLAIM = Claim(
    sentence="x",
    source="Zhu et al. 2025, arXiv:2511.06307",
    budget="x",
    scaled_down="x",
    real="rlft run stages --plan drive.toml --model Qwen/Qwen2.5-32B-Instruct --chat --eval-data test.jsonl",
    metric="hard",
    more=by_stage,
    shared=(),
    grid={"lr": (1e-3, 3e-3)},
    smoke={"steps": 4, "imitation": 48, "prompts": 4, "group": 8, "held_out": 4, "many": 16},
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "one": Arm("one stage", {"order": "uniform"}),
        "random": Arm("", {"phases": 1}),
        "random8": Arm("", {"phases": 1, "many": 8}),
        "small": Arm("", {"many": 8}),
        "drive": Arm("", {}),
        "reversed": Arm("", {"order": "reversed"}),
    },
    statements=[above("two", "drive", "one", least=0.02)],
)
